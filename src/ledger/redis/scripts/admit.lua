-- Admits a request: sets money aside for it on every enforced budget above its token, or on none. Expires up to 16 due holds before.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar (day, from, to, week to, month to), 7 hold, 8 token, 9 secret's SHA-256 in hex, 10 want, 11 least, 12 lease in ms, 13 label
-- Reply  granted: amount, whether it stands on the token's and on the account's budget, free after or "", whether there is a hold
--        unknown | voided
--        expired: since
--        held | exhausted: scope, balance, held, asked, when the balance is set anew or "", name (none: the account's)
-- O(log holds)
--
-- Runs with every request. To make texts of numbers and numbers of texts, closures and tables is what takes its time: what only passes through stays a text,
-- and what few requests need is made only for them.

local id, token, secret = ARGV[7], ARGV[8], ARGV[9]
local want, least = tonumber(ARGV[10]), tonumber(ARGV[11])

-- An identity is searched, not decoded: `identity_text` writes its members in this order and without spaces, and no name can look like one of them, since
-- within a JSON string each quotation mark has a backslash before it.
local identity = call('HGET', IDENTITIES, token) or ''
local function says(member)
  return string.find(identity, member, 1, true)
end
local _, masked = says('["' .. secret .. '","')
local secret_ends = masked and match(identity, '^.-","(%d*)"%]', masked + 1)
if not secret_ends or (secret_ends ~= '' and now >= tonumber(secret_ends)) or not says('"deleted":""') then
  return answer('unknown')
end

local balance, held, sets, spent, resets, used = read_figures(token)
local due = call('ZRANGEBYSCORE', LEASES, '-inf', now_text, 'LIMIT', '0', '16')
if #due > 0 or (resets ~= '-' and now >= tonumber(resets)) then
  -- A step of its own, written before anything else is decided.
--include lib/ledger.lua
--include lib/charge.lua
  expire_all(due)
  reset_if_due(token)
  finish()
  balance, held, sets, spent, resets, used = read_figures(token)
end
local found = {balance = tonumber(balance), held = tonumber(held)}

local function granted(amount, on_token, on_account)
  local free = on_token and free_of(found) or nil
  local account_free = on_account and free_of(account) or nil
  if free and account_free then
    free = math.min(free, account_free)
  end
  return answer('granted', amount, flag(on_token), flag(on_account), text(free or account_free), '1')
end

-- An id that was seen before: the same grant again while it lives, and no second hold when it has ended without an answer.
local stored = call('HGET', HOLDS, id)
if stored then
  local of, amount, on_token, on_account = match(stored, '^(%d+) (%d+) ([01]) ([01]) ')
  if of ~= token then
    return answer('voided')
  end
  return granted(amount, on_token == '1', on_account == '1')
end
local tombstone = call('HGET', TOMBSTONES, id)
if tombstone and now < tonumber(match(tombstone, '^%d+')) then
  return answer('voided')
end
if not says('"expires":""') then
  local expires = match(identity, '"expires":"(%d+)"')
  if now >= tonumber(expires) then
    return answer('expired', expires)
  end
end
local sandbox = says('"kind":"sandbox_api_token"')

local on_token = not sandbox and says('"active":"1"') and found.balance ~= nil
local on_account = not sandbox and account.balance ~= nil
local function refused(outcome, scope, budget)
  local own = scope == 'token'
  local name = own and cjson.decode(identity).name or ''
  return answer(outcome, scope, text(budget.balance), text(budget.held), text(least), own and resets ~= '-' and resets or '', name)
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
local amount_text, lease_end = text(amount), text(later(ARGV[12]))
--include lib/forget.lua

-- From here on nothing is read or decided any more.
seq = text(seq + 1)
if on_token then
  found.held = found.held + amount
  held = text(found.held)
end
if on_account then
  account.held = account.held + amount
  call('HSET', ACCOUNT, 'held', text(account.held), 'seq', seq, 'now', now_text)
else
  call('HSET', ACCOUNT, 'seq', seq, 'now', now_text)
end
used = now_text
call('HSET', FIGURES, token, balance .. ' ' .. held .. ' ' .. sets .. ' ' .. spent .. ' ' .. resets .. ' ' .. used)
if sandbox then
  return answer('granted', '0', '0', '0', '', '0')
end
call('HSET', HOLDS, id, token .. ' ' .. amount_text .. ' ' .. flag(on_token) .. ' ' .. flag(on_account) .. ' ' .. lease_end .. ' ' .. ARGV[13])
call('ZADD', LEASES, lease_end, id)
if forgotten and #forgotten > 0 then
  call('ZREM', ENDED, unpack(forgotten))
end
return granted(amount_text, on_token, on_account)
