-- Turns the oldest entries of the journal into sums: a budget's checkpoint plus what is left of the journal is still its balance. One entry at least is left.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2 entries before this time in ms go, 3 how many at most
-- Reply  trimmed: how many, whether there may be more
-- O(how many)

local cutoff, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local entries = call('LRANGE', JOURNAL, 0, most)
local count, sums, fields = 0, {}, {}

local function add(field, balance, cost)
  local sum = sums[field]
  if not sum then
    sum = {balance = 0, cost = 0}
    sums[field] = sum
    fields[#fields + 1] = field
  end
  sum.balance, sum.cost = sum.balance + balance, sum.cost + cost
end

-- The last one that was read stays: it may be the last there is.
for index = 1, #entries - 1 do
  local time, token, token_delta, account_delta, cost = match(entries[index], '^%[(%d+),"%a+","(%d*)","%x*",(-?%d+),(-?%d+),(-?%d+),')
  -- The first entry ever says nothing but that the journal begins.
  time = time or match(entries[index], '^%[(%d+),"begin"%]$')
  if not time then
    error('an entry of the journal cannot be read')
  end
  if tonumber(time) >= cutoff then
    break
  end
  count = index
  if token and token ~= '' then
    add(token, tonumber(token_delta), tonumber(cost))
  end
  if account_delta then
    add('account', tonumber(account_delta), 0)
  end
end
if count == 0 then
  return answer('trimmed', '0', '0')
end

local checkpoints = {}
if #fields > 0 then
  local stored = call('HMGET', CHECKPOINTS, unpack(fields))
  for index, field in ipairs(fields) do
    local balance, cost = match(stored[index] or '0 0', '^(%S+) ?(%S*)$')
    checkpoints[#checkpoints + 1] = field
    local sum = sums[field]
    checkpoints[#checkpoints + 1] = text(sum.balance + balance) .. (field == 'account' and '' or ' ' .. text(sum.cost + cost))
  end
end
seq = text(seq + 1)
call('HSET', ACCOUNT, 'seq', seq, 'now', now_text)
if #checkpoints > 0 then
  call('HSET', CHECKPOINTS, unpack(checkpoints))
end
call('LTRIM', JOURNAL, count, -1)
call('HINCRBY', ACCOUNT, 'trimmed', count)
return answer('trimmed', text(count), flag(count == most))
