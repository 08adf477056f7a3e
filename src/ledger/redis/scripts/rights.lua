#!lua flags=no-writes,allow-oom
-- Says which commands the user that asks may not run on keys of the ledger. None of them is run.
--
-- KEYS   none
-- ARGV   the commands as access rules spell them, such as get or cluster|slots
-- Reply  those that it may not run; none where the server cannot tell
-- O(commands)

local forbidden = {}
if not redis.acl_check_cmd then
  return forbidden
end
for _, command in ipairs(ARGV) do
  local name, part = string.match(command, '^([^|]+)|?(.*)$')
  local allowed
  if name == 'eval' or name == 'evalsha' then
    allowed = redis.acl_check_cmd(name, '', '1', 'sg:meta')
  elseif part ~= '' then
    allowed = redis.acl_check_cmd(name, part)
  else
    allowed = redis.acl_check_cmd(name, 'sg:meta')
  end
  if not allowed then
    forbidden[#forbidden + 1] = command
  end
end
return forbidden
