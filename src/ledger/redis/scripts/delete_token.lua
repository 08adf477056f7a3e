-- Deletes a token: its secrets open nothing, its name is free, its requests in flight settle as usual. Its identity and figures stay, for the reports.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 name
-- Reply  deleted: token, then the SHA-256 of each secret that opens nothing any more
--        none
-- O(log tokens)

local token = call('HGET', NAMES, ARGV[7])
if not token then
  return answer('none')
end
-- What was due before the end counts; afterwards there are no resets.
reset_if_due(token)
figure(token).resets = nil
figure_changed(token)
local identity = identity_of(token)
local dropped, fields = {}, {ARGV[7]}
for index, secret in ipairs(identity.secrets) do
  dropped[index] = secret[1]
  fields[#fields + 1] = secret_field(secret[1])
end
identity.secrets, identity.deleted = {}, text(now)
local shown = identity_text(identity)
save()
call('HSET', IDENTITIES, token, shown)
call('HDEL', NAMES, unpack(fields))
call('ZREM', LIVE, token)
return answer('deleted', token, unpack(dropped))
