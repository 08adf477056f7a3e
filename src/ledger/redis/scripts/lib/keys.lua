-- The keys of an account, the same in every script, and what every script needs to count and to answer.
local ACCOUNT, IDENTITIES, FIGURES, NAMES, LIVE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HOLDS, LEASES, TOMBSTONES, TOMBSTONE_ENDS, ENDED = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local JOURNAL, CHECKPOINTS, USAGE, GATEWAYS = KEYS[11], KEYS[12], KEYS[13], KEYS[14]
-- The largest amount of nano-dollars: 2^53 - 1, so that a sum that left the range is seen to have left it.
local MAX = 9007199254740991
-- The last millisecond that a time can be.
local END_OF_TIME = 253402207200999
local call, match, format = redis.call, string.match, string.format

-- A whole number in full; nothing for none.
local function text(number)
  return number and (number == 0 and '0' or format('%d', number)) or ''
end

local function beyond(amount)
  return amount and (amount > MAX or amount < -MAX)
end

local function flag(value)
  return value and '1' or '0'
end
