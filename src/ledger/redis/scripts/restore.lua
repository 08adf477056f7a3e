-- Puts back a hold that a failover lost, whatever is free. Nothing happens where the hold lives, has a tombstone, or ended a moment ago. What was admitted from
-- a slice comes out of that slice, where it is still there.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, 7 hold, 8 token, 9 amount, 10 on token, 11 on account, 12 lease in ms, 13 label, 14 slice or ""
-- Reply  restored: whether it was put back
--        unknown: there is no such token
--        range: a figure would leave the range that can be counted
-- O(log holds)

local id, token = ARGV[7], ARGV[8]
if call('HEXISTS', FIGURES, token) == 0 then
  return answer('unknown')
end
local hold = {token = token, amount = tonumber(ARGV[9]), on_token = ARGV[10] == '1', on_account = ARGV[11] == '1', lease_end = later(ARGV[12]), label = ARGV[13]}
local put_back = make_hold(id, hold, ARGV[14], call('HGET', HOLDS, id))
if put_back == nil then
  return answer('range')
end
note_slices()
return finish('restored', flag(put_back))
