-- Makes an account unless it is there, with a member in each of its keys so that none is ever missing; sets its main key where one is given.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared: it may be the first call to a new server), 2 name, 3 id, 4 SHA-256 of the main key in hex, or ""
-- Reply  ensured: whether it was made, whether it has a main key now, the id that it has, the main key it had before, or ""
-- O(1)

-- With a value of more than 64 bytes in it the server keeps a hash as a table. Otherwise it would be a list, searched from its beginning at each call, until it
-- has some hundred members. Accounts of earlier versions get it here.
local LONG = string.rep('-', 65)
local HASHES = {ACCOUNT, IDENTITIES, FIGURES, NAMES, HOLDS, TOMBSTONES, CHECKPOINTS, USAGE}
local head = call('HMGET', ACCOUNT, 'id', 'main_key', 'seq', 'now')
local now = math.max(clock(), tonumber(head[4] or '0'))
local seq = tonumber(head[3] or '0')
local created = not head[1]
local before = head[2] or ''
local main_key = ARGV[4] ~= '' and ARGV[4] or before
if created then
  seq = 1
  call('HSET', ACCOUNT, 'name', ARGV[2], 'id', ARGV[3], 'main_key', main_key, 'created', text(now), 'balance', '', 'held', '0', 'sets', '0',
    'seq', '1', 'now', text(now), 'next_token', '0', 'trimmed', '0', 'identity', '', 'pending', '', 'pending_until', '', 'reported', '')
  for _, key in ipairs({LIVE, LEASES, TOMBSTONE_ENDS, ENDED, GATEWAYS}) do
    call('ZADD', key, '+inf', '')
  end
  call('RPUSH', JOURNAL, '[0,"begin"]')
elseif main_key ~= before then
  seq = seq + 1
  call('HSET', ACCOUNT, 'main_key', main_key, 'seq', text(seq), 'now', text(now))
end
if call('HGET', FIGURES, '') ~= LONG then
  for _, key in ipairs(HASHES) do
    call('HSET', key, '', LONG)
  end
end
return {'ensured', text(seq), text(now), flag(created), flag(main_key ~= ''), head[1] or ARGV[3], before}
