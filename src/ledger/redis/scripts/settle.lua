-- Ends a hold by charging the cost in full, whatever was held. Of an expired hold the charge is lowered to the cost, once. Any other id: nothing happens.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared: settling is idempotent), 2-6 calendar, 7 hold, 8 cost, 9 certainty, 10 usage, 11 label, 12 version of the prices as JSON
-- Reply  settled: charged, overrun, lowest balance left or ""
--        range: a figure would leave the range that can be counted; the hold stays as it was
-- O(log holds)
--
-- Runs with every request: see `admit.lua`. What it does with a live hold is what `charge_live` does.

local id, cost, certainty, usage, label = ARGV[7], tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11]

local token, amount, on_token, on_account, own_label
local balance, held, sets, spent, resets, used
local stored = call('HGET', HOLDS, id)
if stored then
  token, amount, on_token, on_account, own_label = match(stored, '^(%d+) (%d+) ([01]) ([01]) %d+ (.*)$')
  balance, held, sets, spent, resets, used = read_figures(token)
end
if not stored or (resets ~= '-' and now >= tonumber(resets)) then
--include lib/ledger.lua
--include lib/charge.lua
  if not stored then
    local tombstone = tombstone_of(id)
    if not tombstone or not tombstone.hold then
      return answer('settled', '0', '0', '')
    end
    if label == '"","",""' then
      label = tombstone.hold.label
    end
    local bill = {cost = cost, certainty = certainty, usage = usage, label = label, version = ARGV[12]}
    local done, balance_left = correct(id, tombstone, bill)
    if not done then
      return answer('range')
    end
    return finish('settled', '1', '0', text(balance_left))
  end
  -- A step of its own, written before anything else is decided.
  reset_if_due(token)
  finish()
  balance, held, sets, spent, resets, used = read_figures(token)
end

-- Whoever does not know under what to book it leaves that to the admission.
if label == '"","",""' then
  label = own_label
end
on_token, on_account = on_token == '1', on_account == '1'
spent = spent + cost
local token_left = on_token and balance ~= '-' and balance - cost
local account_left = on_account and account.balance and account.balance - cost
if beyond(spent) or beyond(token_left) or beyond(account_left) then
  return answer('range')
end
local overrun = (on_token or on_account) and math.max(cost - amount, 0) or 0
local row = '["' .. ARGV[2] .. '","' .. token .. '",' .. label .. ']'
local counted = add_to_row(call('HGET', USAGE, row), 1, cost, certainty == 'exact' and 0 or 1, usage)
local cost_text = text(cost)
local delta = cost == 0 and '0' or '-' .. cost_text
local line = journal_line('charge', token, id, token_left and delta or '0', account_left and delta or '0', cost_text, certainty, label, usage, ARGV[12])

-- From here on nothing is read or decided any more.
seq = text(seq + 1)
if on_account then
  call('HSET', ACCOUNT, 'balance', text(account_left or account.balance), 'held', text(account.held - amount), 'seq', seq, 'now', now_text)
else
  call('HSET', ACCOUNT, 'seq', seq, 'now', now_text)
end
balance = token_left and text(token_left) or balance
held = on_token and text(held - amount) or held
call('HSET', FIGURES, token, balance .. ' ' .. held .. ' ' .. sets .. ' ' .. text(spent) .. ' ' .. resets .. ' ' .. used)
call('HDEL', HOLDS, id)
call('ZREM', LEASES, id)
call('RPUSH', JOURNAL, line)
call('HSET', USAGE, row, counted)
call('ZADD', ENDED, now_text, id)
if token_left and account_left then
  return answer('settled', '1', text(overrun), account_left < token_left and text(account_left) or balance)
end
return answer('settled', '1', text(overrun), token_left and balance or text(account_left or nil))
