-- Prolongs holds, and raises them on the budgets that they stand on, on all of them or on none. One whose lease ran out lives on if nobody expired it yet.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, then for each: hold, lease in ms, the amount to raise it to (at or below what is held: only the lease)
-- Reply  renewed: for each, in order: done | gone | range | not_raised and, of the budget with the least free, what is free and what others hold
-- O(log holds) for each

local ids = {}
for index = 7, #ARGV, 3 do
  ids[#ids + 1] = ARGV[index]
end
local stored = #ids > 0 and call('HMGET', HOLDS, unpack(ids)) or {}
local outcomes = {}

-- Of the budget of a hold with the least free: that, and what others hold of it. Nil where nothing limits. A deleted token gets no more money.
local function tightest(hold)
  if not call('ZSCORE', LIVE, hold.token) then
    return 0, 0
  end
  local free, others
  local look = function(budget)
    if budget.balance and (not free or free_of(budget) < free) then
      free, others = free_of(budget), budget.held - hold.amount
    end
  end
  if hold.on_token then
    look(figure(hold.token))
  end
  if hold.on_account then
    look(account)
  end
  return free, others
end

local function renew(id, hold, lease, raise_to)
  local raise = raise_to - hold.amount
  local outcome = { 'done' }
  -- What only prolongs does not touch the money: a due reset waits for the next operation that does.
  if raise > 0 and (hold.on_token or hold.on_account) then
    reset_if_due(hold.token)
    local free, others = tightest(hold)
    if not free or free >= raise then
      local found = figure(hold.token)
      local token_held = hold.on_token and found.held + raise or nil
      local account_held = hold.on_account and account.held + raise or nil
      if beyond(raise_to) or beyond(token_held) or beyond(account_held) then
        return { 'range' }
      end
      hold.amount = raise_to
      found.held = token_held or found.held
      account.held = account_held or account.held
      figure_changed(hold.token)
    else
      outcome = { 'not_raised', text(free), text(others) }
    end
  end
  hold.lease_end = math.max(hold.lease_end, later(lease))
  push(hold_sets, id, hold_text(hold))
  push(lease_sets, text(hold.lease_end), id)
  return outcome
end

local live = {}
for index, id in ipairs(ids) do
  local hold = live[id] or (stored[index] and read_hold(stored[index]))
  live[id] = hold
  for _, word in ipairs(hold and renew(id, hold, ARGV[5 + 3 * index], tonumber(ARGV[6 + 3 * index])) or { 'gone' }) do
    outcomes[#outcomes + 1] = word
  end
end
return finish('renewed', unpack(outcomes))
