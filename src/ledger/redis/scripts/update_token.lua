-- Changes a token, decided as a whole before anything is written; or only tries to, and shows what it would be.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 name, 8 dry run, then "=" (as it is), "" (none) or a value for: 9 balance, 10 active balance, 11 expires at in ms,
--        12 period, 13 reset amount
-- Reply  view: token, identity as JSON, figures
--        refused: every rule that it breaks: no_reset_amount, no_balance
--        none
-- O(1)

local token = call('HGET', NAMES, ARGV[7])
if not token then
  return answer('none')
end
reset_if_due(token)
local found, identity = figure(token), identity_of(token)
local function patched(argument, old)
  if argument == '=' then
    return old
  end
  return argument
end

local period = patched(ARGV[12], identity.period)
local reset_amount = patched(ARGV[13], identity.reset_amount)
local no_reset_amount = period ~= '' and reset_amount == ''
local new_period = period ~= '' and period ~= identity.period
-- Setting a period turns enforcement on; repeating the one that is set does so too, unless the same request says otherwise.
local was_active = identity.active == '1'
local repeated = ARGV[12] ~= '=' and ARGV[12] ~= ''
local active = new_period
if not new_period then
  if ARGV[10] == '=' then
    active = was_active or repeated
  else
    active = ARGV[10] == '1'
  end
end
local balance = found.balance
if ARGV[9] ~= '=' then
  balance = tonumber(ARGV[9])
end
if not balance and (new_period or (active and not was_active)) and period ~= '' then
  balance = tonumber(reset_amount)
end
-- A missing amount is reported once, as such.
if no_reset_amount then
  return answer('refused', 'no_reset_amount')
elseif active and not balance then
  return answer('refused', 'no_balance')
end

if found.balance ~= balance then
  note('adjust', token, '', set_balance(found, balance), 0, 0, '')
end
if period == '' then
  found.resets = nil
elseif new_period then
  found.resets = tonumber(calendar[period])
end
figure_changed(token)
identity.active, identity.period, identity.reset_amount = flag(active), period, period ~= '' and reset_amount or ''
identity.expires = patched(ARGV[11], identity.expires)
local shown = identity_text(identity)
if ARGV[8] ~= '1' then
  save()
  call('HSET', IDENTITIES, token, shown)
end
return answer('view', token, shown, figure_text(found))
