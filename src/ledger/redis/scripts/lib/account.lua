-- The account as it is, and the time, which never goes back.
local head = call('HMGET', ACCOUNT, 'id', 'balance', 'held', 'sets', 'seq', 'now', 'identity', 'pending')
if not head[1] then
  return {'no_account', '0', text(clock())}
end
local account = {balance = tonumber(head[2]), held = tonumber(head[3]), sets = tonumber(head[4])}
local seq = tonumber(head[5])
local now = math.max(clock(), tonumber(head[6]))

local function answer(outcome, ...)
  return {outcome, text(seq), text(now), ...}
end

-- The moment `duration` from now.
local function later(duration)
  return math.min(now + tonumber(duration), END_OF_TIME)
end

-- Whether the gateway asks the server whose state all gateways vouch for.
local vouched = head[7] == ARGV[1] and head[7] ~= '' and (head[8] or '') == ''
