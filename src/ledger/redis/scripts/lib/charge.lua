-- How a hold ends: charged, expired, corrected.

-- How long an expired hold can still be corrected, and its id be told from a new one.
local TOMBSTONE_LIFE = 604800000

local function read_hold(stored)
  local token, amount, on_token, on_account, lease_end, label = match(stored, '^(%d+) (%d+) ([01]) ([01]) (%d+) (.*)$')
  return {token = token, amount = tonumber(amount), on_token = on_token == '1', on_account = on_account == '1', lease_end = tonumber(lease_end), label = label}
end

local function hold_text(hold)
  return hold.token .. ' ' .. text(hold.amount) .. ' ' .. flag(hold.on_token) .. ' ' .. flag(hold.on_account) .. ' ' .. text(hold.lease_end) .. ' ' .. hold.label
end

-- What is remembered of an id, while it is; nil otherwise. `hold` is there where it expired and was not corrected.
local function tombstone_of(id)
  local stored = call('HGET', TOMBSTONES, id)
  if not stored then
    return nil
  end
  local ends_at, rest = match(stored, '^(%d+) ?(.*)$')
  if now >= tonumber(ends_at) then
    return nil
  end
  local tombstone = {ends_at = ends_at}
  if rest ~= '' then
    local hold, token_sets, account_sets, day, label = match(rest, '^%d+ (%d+ %d+ [01] [01] %d+) (%d+) (%d+) (%S+) (.*)$')
    tombstone.hold = read_hold(hold .. ' ' .. label)
    tombstone.token_sets, tombstone.account_sets, tombstone.day = tonumber(token_sets), tonumber(account_sets), day
  end
  return tombstone
end

-- Takes a live hold away and gives back what it had set aside.
local function remove_hold(id, hold)
  if hold.on_token then
    local found = figure(hold.token)
    found.held = found.held - hold.amount
    figure_changed(hold.token)
  end
  if hold.on_account then
    account.held = account.held - hold.amount
  end
  push(hold_drops, id)
  push(ended, now_text, id)
end

-- The bill of a hold of which nobody knows what it cost.
local function uncertain(kind, hold)
  return {kind = kind, cost = hold.amount, certainty = 'uncertain', usage = '', label = hold.label}
end

-- What a charge of `cost` makes of every figure; nil where one leaves the range that can be counted.
local function compute(hold, cost, on_token, on_account)
  local found = figure(hold.token)
  local charge = {cost = cost, spent = found.spent + cost}
  charge.token_balance = on_token and found.balance and found.balance - cost or nil
  charge.account_balance = on_account and account.balance and account.balance - cost or nil
  if beyond(charge.spent) or beyond(charge.token_balance) or beyond(charge.account_balance) then
    return nil
  end
  return charge
end

-- Applies a charge. Returns the lowest balance that it left.
local function apply(id, hold, charge, bill)
  local found = figure(hold.token)
  found.spent = charge.spent
  found.balance = charge.token_balance or found.balance
  account.balance = charge.account_balance or account.balance
  figure_changed(hold.token)
  local token_delta = charge.token_balance and -charge.cost or 0
  local account_delta = charge.account_balance and -charge.cost or 0
  note(bill.kind, hold.token, id, token_delta, account_delta, charge.cost, bill.certainty, bill.label, bill.usage, bill.version)
  if charge.token_balance and charge.account_balance then
    return math.min(charge.token_balance, charge.account_balance)
  end
  return charge.token_balance or charge.account_balance
end

-- Charges and takes away a live hold. Returns false where a figure leaves the range, else true, the overrun and the lowest balance left.
local function charge_live(id, hold, bill)
  reset_if_due(hold.token)
  local charge = compute(hold, bill.cost, hold.on_token, hold.on_account)
  if not charge then
    return false
  end
  remove_hold(id, hold)
  local overrun = (hold.on_token or hold.on_account) and math.max(bill.cost - hold.amount, 0) or 0
  add_usage(calendar.day, hold.token, bill.label, 1, bill.cost, bill.certainty == 'exact' and 0 or 1, bill.usage)
  return true, overrun, apply(id, hold, charge, bill)
end

-- Lowers the charge of an expired hold to what `bill` says (none: to nothing), once; more than was held is never charged afterwards.
-- What was held on no budget is booked at its cost: nothing stands behind it that could be overrun.
-- Returns false where a figure leaves the range, else true and the lowest balance left.
local function correct(id, tombstone, bill)
  local hold = tombstone.hold
  reset_if_due(hold.token)
  local cost = bill and bill.cost or 0
  if hold.on_token or hold.on_account then
    cost = math.min(cost, hold.amount)
  end
  -- A balance that was set since the charge does not know of it: nothing is given back into that.
  local on_token = hold.on_token and figure(hold.token).sets == tombstone.token_sets
  local on_account = hold.on_account and account.sets == tombstone.account_sets
  local charge = compute(hold, cost - hold.amount, on_token, on_account)
  if not charge then
    return false
  end
  -- The day's row under the admission's label gives way to one that is known.
  add_usage(tombstone.day, hold.token, hold.label, -1, -hold.amount, -1, '')
  if bill then
    add_usage(tombstone.day, hold.token, bill.label, 1, cost, bill.certainty == 'exact' and 0 or 1, bill.usage)
  end
  bill = bill or {certainty = 'exact', usage = '', label = hold.label}
  bill.kind = 'correct'
  push(tombstone_sets, id, tombstone.ends_at)
  return true, apply(id, hold, charge, bill)
end

-- Charges a hold whose lease ran out at its amount, flagged, since the provider has probably billed; and remembers it for a while.
local function expire(id, hold)
  local bill = uncertain('expire', hold)
  local charged = charge_live(id, hold, bill)
  if not charged then
    -- A figure at the end of the countable range must not keep a dead hold alive: it ends with nothing charged.
    bill.cost = 0
    if not charge_live(id, hold, bill) then
      remove_hold(id, hold)
    end
  end
  local ends_at = text(later(TOMBSTONE_LIFE))
  if charged then
    push(tombstone_sets, id, ends_at .. ' ' .. text(now) .. ' ' .. hold.token .. ' ' .. text(hold.amount) .. ' ' .. flag(hold.on_token) .. ' ' ..
      flag(hold.on_account) .. ' ' .. text(hold.lease_end) .. ' ' .. text(figure(hold.token).sets) .. ' ' .. text(account.sets) .. ' ' .. calendar.day ..
      ' ' .. hold.label)
  else
    -- What was not charged cannot be lowered: its id is only remembered.
    push(tombstone_sets, id, ends_at)
  end
  push(tombstone_end_sets, ends_at, id)
end

local function expire_all(due)
  if #due > 0 then
    local stored = call('HMGET', HOLDS, unpack(due))
    for index, id in ipairs(due) do
      expire(id, read_hold(stored[index]))
    end
  end
end

-- Expires up to `most` holds whose lease ran out, the one that ended first in front. Returns how many.
local function expire_due(most)
  local due = call('ZRANGEBYSCORE', LEASES, '-inf', now_text, 'LIMIT', '0', text(most))
  expire_all(due)
  return #due
end
