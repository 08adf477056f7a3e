-- A live token, by its name or its id; or the account's own balance.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2 "name", "token" or "credits", 3 the name or the id
-- Reply  view: token, identity as JSON, figures
--        credits: balance or "", held
--        none
-- O(1)

if ARGV[2] == 'credits' then
  return answer('credits', text(account.balance), text(account.held))
end
local token = ARGV[3]
if ARGV[2] == 'name' then
  token = call('HGET', NAMES, token)
end
if not token or not call('ZSCORE', LIVE, token) then
  return answer('none')
end
return answer('view', token, call('HGET', IDENTITIES, token), call('HGET', FIGURES, token))
