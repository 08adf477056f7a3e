-- Calls slices back: marks them for their gateways to see, and lets none be taken for a moment. To be repeated until none is left.
--
-- KEYS   the account's, all of them, in their order, then its slices
-- ARGV   1 identity (not compared), 2-6 calendar, 7 token, or "" for every one of the account, 8 for how many ms no slice is taken,
--        9 whether that is so even where there is none now
-- Reply  left: how many slices live
-- O(slices of the account)

local token = ARGV[7]
expire_due(16)
if changed then
  save()
end
local left = 0
local known = call('HGETALL', SLICES)
for index = 1, #known, 2 do
  local id, value = known[index], known[index + 1]
  if string.sub(id, 1, 1) == '!' then
    if tonumber(value) <= now then
      call('HDEL', SLICES, id)
    end
  elseif id ~= '' then
    local of, rest = match(value, '^(%S+) (.*) [01]$')
    if call('HEXISTS', HOLDS, id) == 0 then
      call('HDEL', SLICES, id)
    elseif token == '' or of == token then
      left = left + 1
      call('HSET', SLICES, id, of .. ' ' .. rest .. ' 1')
    end
  end
end
if left > 0 or ARGV[9] == '1' then
  call('HSET', SLICES, '!' .. token, text(later(ARGV[8])))
end
return answer('left', text(left))
