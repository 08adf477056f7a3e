-- Gives a hold another id, under which it lives on though nobody prolongs it. Of an id that is known already the job was begun before: the hold is charged at
-- its amount then. A hold that is gone: nothing happens.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, 7 hold, 8 its new id, 9 lease in ms
-- Reply  settled: charged, overrun, lowest balance left or ""
--        range: a figure would leave the range that can be counted; the hold stays as it was
-- O(log holds)

local id, kept = ARGV[7], ARGV[8]
local stored = call('HGET', HOLDS, id)
if not stored then
  return answer('settled', '0', '0', '')
end
local hold = read_hold(stored)
if call('HEXISTS', HOLDS, kept) == 1 or tombstone_of(kept) then
  local done, overrun, balance = charge_live(id, hold, uncertain('charge', hold))
  if not done then
    return answer('range')
  end
  return finish('settled', '1', text(overrun), text(balance))
end
push(hold_drops, id)
push(ended, text(now), id)
hold.lease_end = later(ARGV[9])
push(hold_sets, kept, hold_text(hold))
push(lease_sets, text(hold.lease_end), kept)
return finish('settled', '0', '0', '')
