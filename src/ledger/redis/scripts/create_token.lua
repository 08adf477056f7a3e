-- Makes a token.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 name, 8 kind, 9 secret's SHA-256 in hex, 10 masked secret, 11 balance or "", 12 active balance, 13 period or "",
--        14 reset amount or "", 15 expires at in ms, or ""
-- Reply  view: token, identity as JSON, figures
--        refused: every rule that it breaks: name_taken, no_balance
-- O(log tokens)

local name, period, reset_amount = ARGV[7], ARGV[13], ARGV[14]
-- A period turns enforcement on, and gives the first balance where none is given.
local active = ARGV[12] == '1' or period ~= ''
local balance = tonumber(ARGV[11]) or (period ~= '' and tonumber(reset_amount) or nil)
local errors = {}
if call('HEXISTS', NAMES, name) == 1 then
  errors[#errors + 1] = 'name_taken'
end
if active and not balance then
  errors[#errors + 1] = 'no_balance'
end
if #errors > 0 then
  return answer('refused', unpack(errors))
end
local ids = call('HMGET', ACCOUNT, 'id', 'next_token')
local following = ids[2] + 1
local token = text(ids[1] * 4294967296 + following)
local found = {balance = nil, held = 0, sets = 0, spent = 0, resets = tonumber(calendar[period]), used = nil}
figures[token] = found
figure_changed(token)
if balance then
  note('grant', token, '', set_balance(found, balance), 0, 0, '')
end
local identity = identity_text({
  name = name, kind = ARGV[8], secrets = {{ARGV[9], ARGV[10], ''}}, active = flag(active), period = period,
  reset_amount = period ~= '' and reset_amount or '', expires = ARGV[15], created = text(now), deleted = '',
})
save()
call('HSET', ACCOUNT, 'next_token', text(following))
call('HSET', IDENTITIES, token, identity)
call('HSET', NAMES, name, token, secret_field(ARGV[9]), token)
call('ZADD', LIVE, token, token)
return answer('view', token, identity, figure_text(found))
