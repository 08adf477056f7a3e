-- After a failover: agrees with the other gateways that this server's state is the one that they all vouch for, when each has put back what it remembers
-- or the quarantine is over.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity of the server, 2 gateway, 3 quarantine in ms
-- Reply  adopted
--        waiting: milliseconds left at most
-- O(log gateways + gateways that live)

-- A gateway that had said nothing for so long when the server that all vouched for was last heard of is not waited for. Not now: however long an outage
-- takes, those that worked when it began remember what this server may lack.
local ALIVE = 10000
local identity, gateway = ARGV[1], ARGV[2]
if vouched then
  return answer('adopted')
end
local more = call('HMGET', ACCOUNT, 'pending_until', 'reported', 'heard')
local heard = math.min(tonumber(more[3] or '') or now, now)
local pending, pending_until, reported = head[7] or '', tonumber(more[1] or ''), more[2] or ''
if pending ~= identity then
  pending, pending_until, reported = identity, later(ARGV[3]), gateway
elseif not string.find(' ' .. reported .. ' ', ' ' .. gateway .. ' ', 1, true) then
  reported = reported .. ' ' .. gateway
end
-- The first gateway ever has nobody to wait for, and nothing to put back.
local all = true
if head[6] ~= '' then
  for _, other in ipairs(call('ZRANGEBYSCORE', GATEWAYS, text(heard - ALIVE), '(+inf')) do
    all = all and string.find(' ' .. reported .. ' ', ' ' .. other .. ' ', 1, true) ~= nil
  end
end
local adopted = all or now >= pending_until
call('ZADD', GATEWAYS, now_text, gateway)
seq = text(seq + 1)
if adopted then
  call('HSET', ACCOUNT, 'seq', seq, 'now', now_text, 'identity', identity, 'pending', '', 'pending_until', '', 'reported', '')
  return answer('adopted')
end
call('HSET', ACCOUNT, 'seq', seq, 'now', now_text, 'pending', pending, 'pending_until', text(pending_until), 'reported', reported)
return answer('waiting', text(pending_until - now))
