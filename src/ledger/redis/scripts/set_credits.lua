-- Sets the account's own balance, or takes its budget away.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 balance or ""
-- Reply  done
-- O(1)

local balance = tonumber(ARGV[7])
if account.balance ~= balance then
  note('adjust', '', '', 0, set_balance(account, balance), 0, '')
end
return finish('done')
