-- Expires holds whose lease ran out and drops tombstones whose time is over, some of each; notes that the gateway lives, forgets gateways that were silent for a day.
-- Where a failover has not been settled yet, only the gateway is noted: leases may have been prolonged by what was lost.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity, 2-6 calendar, 7 gateway, 8 how many of each
-- Reply  swept: whether there may be more
--        failover
-- O(how many * log holds)

local SILENCE = 86400000
local most = tonumber(ARGV[8])
local expired, over = 0, {}
if vouched then
  expired = expire_due(most)
end
save()
-- After that: an id that was voided long ago may have expired just now, and its tombstone lasts again.
if vouched then
  over = call('ZRANGEBYSCORE', TOMBSTONE_ENDS, '-inf', now_text, 'LIMIT', '0', text(most))
end
if #over > 0 then
  call('HDEL', TOMBSTONES, unpack(over))
  call('ZREM', TOMBSTONE_ENDS, unpack(over))
end
call('ZADD', GATEWAYS, text(now), ARGV[7])
if vouched then
  call('HSET', ACCOUNT, 'heard', text(now))
end
call('ZREMRANGEBYSCORE', GATEWAYS, '-inf', '(' .. text(now - SILENCE))
if not vouched then
  return answer('failover')
end
return answer('swept', flag(expired == most or #over == most))
