-- Puts back a hold that a failover lost, whatever is free. Nothing happens where the hold lives, has a tombstone, or ended a moment ago.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, 7 hold, 8 token, 9 amount, 10 on token, 11 on account, 12 lease in ms, 13 label
-- Reply  restored: whether it was put back
--        unknown: there is no such token
--        range: a figure would leave the range that can be counted
-- O(log holds)

local id, token = ARGV[7], ARGV[8]
if call('HEXISTS', HOLDS, id) == 1 or tombstone_of(id) or call('ZSCORE', ENDED, id) then
  return answer('restored', '0')
end
if call('HEXISTS', FIGURES, token) == 0 then
  return answer('unknown')
end
local found = figure(token)
local hold = {token = token, amount = tonumber(ARGV[9]), on_token = ARGV[10] == '1', on_account = ARGV[11] == '1', lease_end = later(ARGV[12]), label = ARGV[13]}
if hold.on_token then
  found.held = found.held + hold.amount
  figure_changed(token)
end
if hold.on_account then
  account.held = account.held + hold.amount
end
if beyond(found.held) or beyond(account.held) then
  return answer('range')
end
push(hold_sets, id, hold_text(hold))
push(lease_sets, text(hold.lease_end), id)
return finish('restored', '1')
