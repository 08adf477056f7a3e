-- Ends a hold by charging what is held: it was sent, and nobody knows what it cost. Any other id: nothing happens; if it expired, it was charged just that.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, 7 hold
-- Reply  settled: charged, overrun, lowest balance left or ""
--        range: a figure would leave the range that can be counted; the hold stays as it was
-- O(log holds)

local stored = call('HGET', HOLDS, ARGV[7])
if not stored then
  return answer('settled', '0', '0', '')
end
local hold = read_hold(stored)
local done, overrun, balance = charge_live(ARGV[7], hold, uncertain('charge', hold))
if not done then
  return answer('range')
end
return finish('settled', '1', text(overrun), text(balance))
