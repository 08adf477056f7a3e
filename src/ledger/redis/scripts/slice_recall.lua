-- Calls slices back: notes it for their gateways to see, and lets none be taken for a moment. To be repeated until none is left.
--
-- KEYS   the account's, all of them, in their order, then its slices
-- ARGV   1 identity (not compared), 2-6 calendar, 7 token, or "" for every one of the account, 8 for how many ms no slice is taken,
--        9 whether that is so even where there is none now
-- Reply  left: how many slices live
-- O(slices of the token), or O(slices of the account)

-- A recall is remembered for so long after that moment: by then each slice that was taken before was looked after and told of it, or has expired.
local REMEMBERED = 10000
-- How many recalls a gateway can have missed without looking after all its slices.
local RECENT = 16
local token = ARGV[7]
expire_due(16)
if changed then
  save()
end

-- Drops what is over among some fields and their values. Returns how many slices among them live.
local function tidy(fields)
  local lists, own, known, asked, over = {}, {}, {}, {}, {}
  local function ask(id)
    if not known[id] then
      known[id] = true
      asked[#asked + 1] = id
    end
  end
  for index = 1, #fields, 2 do
    local field, value = fields[index], fields[index + 1]
    local mark = string.sub(field, 1, 1)
    if mark == '!' then
      if field ~= '!recent' and field ~= '!cursor' and tonumber(value) + REMEMBERED <= now then
        over[#over + 1] = field
      end
    elseif mark == '@' then
      lists[field] = words(value)
      for _, id in ipairs(lists[field]) do
        ask(id)
      end
    elseif field ~= '' then
      own[#own + 1] = field
      ask(field)
    end
  end
  local lives, count = {}, 0
  for _, id in ipairs(living(asked)) do
    lives[id] = true
  end
  for _, id in ipairs(own) do
    if lives[id] then
      count = count + 1
    else
      over[#over + 1] = id
    end
  end
  for field, ids in pairs(lists) do
    local any = false
    for _, id in ipairs(ids) do
      any = any or lives[id]
    end
    if not any then
      over[#over + 1] = field
    end
  end
  for from = 1, #over, 500 do
    call('HDEL', SLICES, unpack(over, from, math.min(from + 499, #over)))
  end
  return count
end

local left
if token == '' then
  left = tidy(call('HGETALL', SLICES))
else
  left = #living(words(call('HGET', SLICES, '@' .. token)))
  -- Some of the others too, so that what is over goes in the end.
  local cursor = call('HGET', SLICES, '!cursor') or '0'
  local next_cursor, some = unpack(call('HSCAN', SLICES, cursor, 'COUNT', '16'))
  tidy(some)
  if next_cursor == '0' and cursor ~= '0' then
    call('HDEL', SLICES, '!cursor')
  elseif next_cursor ~= cursor then
    call('HSET', SLICES, '!cursor', next_cursor)
  end
end
local mark = '!' .. token
local quiet = call('HGET', SLICES, mark)
if left > 0 and not (quiet and now < tonumber(quiet)) then
  local recent = words(call('HGET', SLICES, '!recent') or '0')
  recent[1] = text(tonumber(recent[1]) + 1)
  table.insert(recent, 2, token == '' and '-' or token)
  recent[RECENT + 2] = nil
  call('HSET', SLICES, '!recent', table.concat(recent, ' '))
end
if left > 0 or ARGV[9] == '1' then
  call('HSET', SLICES, mark, text(later(ARGV[8])))
end
return answer('left', text(left))
