-- Gives an account its id: a small number, the same for ever. Ids are given out in order, from 0; the field "" holds the next one.
--
-- KEYS   1 the hash of accounts
-- ARGV   1 name, 2 the id that the account itself knows, where the hash may have lost it; or ""
-- Reply  account: id
--        range: no ids are left (token ids must stay below 2^53)
-- O(1)

local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local known, id = redis.call('HGET', KEYS[1], ARGV[1]), ARGV[2]
if known then
  return {'account', '0', now, known}
end
local following = tonumber(redis.call('HGET', KEYS[1], '') or '') or 0
if id == '' then
  id = following
end
id = tonumber(id)
if id >= 2097151 then
  return {'range', '0', now}
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', id), '', string.format('%d', math.max(following, id + 1)))
return {'account', '0', now, string.format('%d', id)}
