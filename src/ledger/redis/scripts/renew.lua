-- Prolongs holds, and raises them on the budgets that they stand on, on all of them or on none. One whose lease ran out lives on if nobody expired it yet.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2-6 calendar, then for each: hold, lease in ms, raise (0: only the lease)
-- Reply  renewed: for each, in order: done | not_raised | gone | range
-- O(log holds) for each

local ids = {}
for index = 7, #ARGV, 3 do
  ids[#ids + 1] = ARGV[index]
end
local stored = #ids > 0 and call('HMGET', HOLDS, unpack(ids)) or {}

-- Whether every budget of the hold has that much more. A deleted token gets no more money.
local function reaches(hold, raise)
  if not call('ZSCORE', LIVE, hold.token) then
    return false
  end
  local has = function(budget)
    return not budget.balance or free_of(budget) >= raise
  end
  return (not hold.on_token or has(figure(hold.token))) and (not hold.on_account or has(account))
end

local function renew(id, hold, lease, raise)
  if not hold.on_token and not hold.on_account then
    raise = 0
  end
  local raised = false
  -- What only prolongs does not touch the money: a due reset waits for the next operation that does.
  if raise > 0 then
    reset_if_due(hold.token)
    raised = reaches(hold, raise)
  end
  if raised then
    local found = figure(hold.token)
    local token_held = hold.on_token and found.held + raise or nil
    local account_held = hold.on_account and account.held + raise or nil
    if beyond(hold.amount + raise) or beyond(token_held) or beyond(account_held) then
      return 'range'
    end
    hold.amount = hold.amount + raise
    found.held = token_held or found.held
    account.held = account_held or account.held
    figure_changed(hold.token)
  end
  hold.lease_end = math.max(hold.lease_end, later(lease))
  push(hold_sets, id, hold_text(hold))
  push(lease_sets, text(hold.lease_end), id)
  return (raised or raise <= 0) and 'done' or 'not_raised'
end

local outcomes, live = {}, {}
for index, id in ipairs(ids) do
  local hold = live[id] or (stored[index] and read_hold(stored[index]))
  live[id] = hold
  outcomes[index] = hold and renew(id, hold, ARGV[5 + 3 * index], tonumber(ARGV[6 + 3 * index])) or 'gone'
end
return finish('renewed', unpack(outcomes))
