-- Gives a token a new secret. The old ones end with the grace period, or sooner where they were to.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 name, 8 new secret's SHA-256 in hex, 9 masked secret, 10 grace in ms
-- Reply  view: token, identity as JSON, figures, then the SHA-256 of each secret that opens nothing any more
--        none
-- O(1)

local token = call('HGET', NAMES, ARGV[7])
if not token then
  return answer('none')
end
local identity = identity_of(token)
local grace_end = later(ARGV[10])
local kept, dropped, fields = {}, {}, {}
for _, secret in ipairs(identity.secrets) do
  local ends = math.min(tonumber(secret[3]) or grace_end, grace_end)
  if now < ends then
    kept[#kept + 1] = {secret[1], secret[2], text(ends)}
  else
    dropped[#dropped + 1] = secret[1]
    fields[#fields + 1] = secret_field(secret[1])
  end
end
kept[#kept + 1] = {ARGV[8], ARGV[9], ''}
identity.secrets = kept
local shown, found = identity_text(identity), figure_text(figure(token))
save()
call('HSET', IDENTITIES, token, shown)
if #fields > 0 then
  call('HDEL', NAMES, unpack(fields))
end
call('HSET', NAMES, secret_field(ARGV[8]), token)
return answer('view', token, shown, found, unpack(dropped))
