-- The account as it is, and the time, which never goes back.
-- Whoever names no server does not ask which one is vouched for.
local head = ARGV[1] == '' and call('HMGET', ACCOUNT, 'seq', 'now', 'balance', 'held', 'sets') or
  call('HMGET', ACCOUNT, 'seq', 'now', 'balance', 'held', 'sets', 'identity', 'pending')
if not head[1] then
  return {'no_account', '0', text(clock())}
end
local account = {balance = tonumber(head[3]), held = tonumber(head[4]), sets = tonumber(head[5])}
local seq = head[1]
local now = math.max(clock(), tonumber(head[2]))
local now_text = text(now)

local function answer(outcome, ...)
  return {outcome, seq, now_text, ...}
end

-- The moment `duration` from now.
local function later(duration)
  return math.min(now + tonumber(duration), END_OF_TIME)
end

-- Whether the gateway asks the server whose state all gateways vouch for.
local vouched = ARGV[1] ~= '' and head[6] == ARGV[1] and (head[7] or '') == ''
