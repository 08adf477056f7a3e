-- Admits a request: sets money aside for it on every enforced budget above its token, or on none. Expires up to 16 due holds on the way.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar (day, from, to, week to, month to), 7 hold, 8 token, 9 secret's SHA-256 in hex, 10 want, 11 least, 12 lease in ms, 13 label
-- Reply  granted: amount, whether it stands on the token's and on the account's budget, free after or "", whether there is a hold
--        unknown | voided
--        expired: since
--        held | exhausted: scope, balance, held, asked, when the balance is set anew or "", name (none: the account's)
-- O(log holds)

local id, token, secret = ARGV[7], ARGV[8], ARGV[9]
local want, least = tonumber(ARGV[10]), tonumber(ARGV[11])

local identity = identity_of(token)
local opens = false
if identity and identity.deleted == '' then
  for _, stored in ipairs(identity.secrets) do
    if stored[1] == secret and (stored[3] == '' or now < tonumber(stored[3])) then
      opens = true
    end
  end
end
if not opens then
  return answer('unknown')
end
expire_due(16)
reset_if_due(token)
local found = figure(token)

local function granted(hold)
  local free = hold.on_token and free_of(found) or nil
  local account_free = hold.on_account and free_of(account) or nil
  if free and account_free then
    free = math.min(free, account_free)
  end
  return finish('granted', text(hold.amount), flag(hold.on_token), flag(hold.on_account), text(free or account_free), '1')
end

-- An id that was seen before: the same grant again while it lives, and no second hold when it has ended without an answer.
local stored = call('HGET', HOLDS, id)
for _, dropped in ipairs(hold_drops) do
  if dropped == id then
    return finish('voided')
  end
end
if stored then
  local hold = read_hold(stored)
  if hold.token ~= token then
    return finish('voided')
  end
  return granted(hold)
end
if tombstone_of(id) then
  return finish('voided')
end
if identity.expires ~= '' and now >= tonumber(identity.expires) then
  return finish('expired', identity.expires)
end
if identity.kind == 'sandbox_api_token' then
  found.used = now
  figure_changed(token)
  return finish('granted', '0', '0', '0', '', '0')
end

local on_token = identity.active == '1' and found.balance ~= nil
local on_account = account.balance ~= nil
local function refused(outcome, scope, budget)
  local own = scope == 'token'
  return finish(outcome, scope, text(budget.balance), text(budget.held), text(least), own and text(found.resets) or '', own and identity.name or '')
end

-- The figure that a person has to raise is the lowest one of those that fall short.
local function falls_short(budget)
  return budget.balance <= 0 or budget.balance < least
end
local token_short = on_token and falls_short(found)
local account_short = on_account and falls_short(account)
if token_short and not (account_short and account.balance < found.balance) then
  return refused('exhausted', 'token', found)
elseif account_short then
  return refused('exhausted', 'account', account)
end

local amount = 0
if on_token or on_account then
  local scope, tightest = 'token', found
  if not on_token or (on_account and free_of(account) < free_of(found)) then
    scope, tightest = 'account', account
  end
  amount = math.min(want, free_of(tightest))
  if amount < least then
    return refused('held', scope, tightest)
  end
end

if (on_token and beyond(found.held + amount)) or (on_account and beyond(account.held + amount)) then
  return answer('range')
end
if on_token then
  found.held = found.held + amount
end
if on_account then
  account.held = account.held + amount
end
found.used = now
figure_changed(token)
local hold = {token = token, amount = amount, on_token = on_token, on_account = on_account, lease_end = later(ARGV[12]), label = ARGV[13]}
push(hold_sets, id, hold_text(hold))
push(lease_sets, text(hold.lease_end), id)
return granted(hold)
