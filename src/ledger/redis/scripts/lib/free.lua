-- What can be set aside of a budget; nil where there is no balance.
local function free_of(budget)
  return budget.balance and math.max(math.min(budget.balance - budget.held, MAX), -MAX)
end
