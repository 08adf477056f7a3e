-- What there is to know of the live token that a secret opens, or that has an id. The caller checks that the secret has not ended.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2 "secret" or "token", 3 the secret's SHA-256 in hex, or the token's id
-- Reply  facts: token, identity as JSON
--        none
-- O(1)

local token = ARGV[3]
if ARGV[2] == 'secret' then
  token = call('HGET', NAMES, secret_field(ARGV[3]))
end
local identity = token and call('ZSCORE', LIVE, token) and call('HGET', IDENTITIES, token)
if not identity then
  return answer('none')
end
return answer('facts', token, identity)
