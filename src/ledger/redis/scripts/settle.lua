-- Ends a hold by charging the cost in full, whatever was held. Of an expired hold the charge is lowered to the cost, once. Any other id: nothing happens.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared: settling is idempotent), 2-6 calendar, 7 hold, 8 cost, 9 certainty, 10 usage, 11 label, 12 version of the prices as JSON
-- Reply  settled: charged, overrun, lowest balance left or ""
--        range: a figure would leave the range that can be counted; the hold stays as it was
-- O(log holds)

local id = ARGV[7]
local bill = {kind = 'charge', cost = tonumber(ARGV[8]), certainty = ARGV[9], usage = ARGV[10], label = ARGV[11], version = ARGV[12]}

-- Whoever does not know under what to book it leaves that to the admission.
local function labelled(hold)
  if bill.label == '"","",""' then
    bill.label = hold.label
  end
  return hold
end

local done, overrun, balance = true, 0, nil
local stored = call('HGET', HOLDS, id)
if stored then
  done, overrun, balance = charge_live(id, labelled(read_hold(stored)), bill)
else
  local tombstone = tombstone_of(id)
  if not tombstone or not tombstone.hold then
    return answer('settled', '0', '0', '')
  end
  labelled(tombstone.hold)
  done, balance = correct(id, tombstone, bill)
end
if not done then
  return answer('range')
end
return finish('settled', '1', text(overrun), text(balance))
