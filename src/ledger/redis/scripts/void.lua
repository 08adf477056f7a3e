-- Ends a hold by giving everything back: nothing was sent, or the provider does not bill it. An id that is not there is refused for one lease, should its
-- admission still come.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, 7 hold, 8 lease in ms
-- Reply  voided
--        range: a figure would leave the range that can be counted; the hold stays as it was
-- O(log holds)

local id = ARGV[7]
local stored = call('HGET', HOLDS, id)
if stored then
  remove_hold(id, read_hold(stored))
  return finish('voided')
end
local tombstone = tombstone_of(id)
if not tombstone then
  local ends_at = text(later(ARGV[8]))
  push(tombstone_sets, id, ends_at)
  push(tombstone_end_sets, ends_at, id)
elseif tombstone.hold and not correct(id, tombstone, nil) then
  return answer('range')
end
return finish('voided')
