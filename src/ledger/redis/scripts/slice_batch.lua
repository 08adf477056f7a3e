-- What a gateway has to tell of an account, at once: requests that it admitted from slices, requests that ended, slices that go on or go back. In this order.
-- All of it can be repeated.
--
-- KEYS   the account's, all of them, in their order, then its slices
-- ARGV   1 identity (not compared, but nothing is added to a slice where it is another), 2-6 calendar,
--        7 how many requests were admitted, for each: hold, slice, token, amount, on token, on account, lease in ms, label
--        how many ended, for each: settle | charge_hold | void, hold, cost (or of a void: lease in ms), certainty, usage, label, version of the prices as JSON
--        how many slices, for each: slice, go_on | give_back, up to how much it may be filled, lease in ms
-- Reply  done: how often slices were called back, and whose, as it is stored
--        for each that ended: charged | not_charged | range, overrun, lowest balance left or ""
--        for each slice: live | recalled | gone, amount, what is free besides, for how many ms it may be used
-- O(log holds) for each

local SHARE = 8
local at = 7

local function next_arguments(count)
  local first = at
  at = at + count
  return unpack(ARGV, first, at - 1)
end

-- What HOLDS says of those that the next `count` groups of `size` arguments are about, the id at place `place` of each group.
local function stored_holds(count, size, place)
  local ids, found = {}, {}
  for index = 1, count do
    ids[index] = ARGV[at + (index - 1) * size + place - 1]
  end
  local stored = count > 0 and call('HMGET', HOLDS, unpack(ids)) or {}
  for index, id in ipairs(ids) do
    found[id] = stored[index] or nil
  end
  return found
end

local count = tonumber(next_arguments(1))
local stored = stored_holds(count, 8, 1)
local known = {}
for _ = 1, count do
  local id, slice, token, amount, on_token, on_account, lease, label = next_arguments(8)
  if known[token] == nil then
    known[token] = call('HEXISTS', FIGURES, token) == 1
  end
  if known[token] then
    local hold = {token = token, amount = tonumber(amount), on_token = on_token == '1', on_account = on_account == '1', lease_end = later(lease), label = label}
    make_hold(id, hold, slice, stored[id])
  end
end

local reply, over = {call('HGET', SLICES, '!recent') or '0'}, {}

-- A hold that lives, made here or before.
local function live(id)
  if over[id] then
    return nil
  end
  if made[id] then
    return made[id]
  end
  return stored[id] and read_hold(stored[id])
end

local function ended_now(id)
  made[id] = nil
  over[id] = true
end

-- Whoever does not know under what to book it leaves that to the admission.
local function labelled(bill, hold)
  if bill.label == '"","",""' then
    bill.label = hold.label
  end
  return bill
end

local function settle(id, bill)
  local hold = live(id)
  if hold then
    local done, overrun, balance = charge_live(id, hold, labelled(bill, hold))
    if done then
      ended_now(id)
    end
    return done, true, overrun, balance
  end
  local tombstone = not over[id] and tombstone_of(id)
  if not tombstone or not tombstone.hold then
    return true, false
  end
  local done, balance = correct(id, tombstone, labelled(bill, tombstone.hold))
  over[id] = done
  return done, true, 0, balance
end

local function charge_hold(id)
  local hold = live(id)
  if not hold then
    return true, false
  end
  local done, overrun, balance = charge_live(id, hold, uncertain('charge', hold))
  if done then
    ended_now(id)
  end
  return done, true, overrun, balance
end

-- Gives a hold or a slice back. One that is not there is refused for one lease, should it still come. Of one that expired nothing is charged in the end.
local function give_back(id, hold, tombstone, lease)
  if hold then
    remove_hold(id, hold)
  elseif not tombstone then
    local ends_at = text(later(lease))
    push(tombstone_sets, id, ends_at)
    push(tombstone_end_sets, ends_at, id)
  elseif tombstone.hold then
    return correct(id, tombstone, nil)
  end
  return true
end

local function void(id, lease)
  local done = over[id] or give_back(id, live(id), tombstone_of(id), lease)
  if done then
    ended_now(id)
  end
  return done, false
end

count = tonumber(next_arguments(1))
stored = stored_holds(count, 7, 2)
for _ = 1, count do
  local kind, id, first, certainty, usage, label, version = next_arguments(7)
  local done, charged, overrun, balance
  if kind == 'settle' then
    done, charged, overrun, balance = settle(id, {kind = 'charge', cost = tonumber(first), certainty = certainty, usage = usage, label = label, version = version})
  elseif kind == 'charge_hold' then
    done, charged, overrun, balance = charge_hold(id)
  else
    done, charged = void(id, first)
  end
  reply[#reply + 1] = not done and 'range' or charged and 'charged' or 'not_charged'
  reply[#reply + 1] = text(overrun or 0)
  reply[#reply + 1] = text(balance)
end

-- What is free of the tightest budget that a slice stands on.
local function free_beside(hold)
  local free = hold.on_token and free_of(figure(hold.token)) or nil
  if hold.on_account and account.balance then
    free = math.min(free or MAX, free_of(account))
  end
  return free or 0
end

-- Takes a slice out of what is known of slices: the fields that go, and those that change.
local gone, lists = {}, {}
local function strike(id)
  local token = match(call('HGET', SLICES, id) or '', '^%S+')
  gone[#gone + 1] = id
  if token then
    lists[token] = lists[token] or words(call('HGET', SLICES, '@' .. token))
    for index, other in ipairs(lists[token]) do
      if other == id then
        table.remove(lists[token], index)
        break
      end
    end
  end
end

for _ = 1, tonumber(next_arguments(1)) do
  local id, what, target, lease = next_arguments(4)
  local hold = slice_of(id)
  local outcome, amount, free, usable = 'gone', 0, 0, 0
  if what == 'give_back' then
    give_back(id, hold, not hold and (tombstone_of_slice(id) or tombstone_of(id)), lease)
    -- What was lowered here is no longer to be written.
    slices[id], lowered[id] = false, false
    strike(id)
  elseif hold then
    local marks = call('HMGET', SLICES, id, '!', '!' .. hold.token)
    local bound, taken = match(marks[1] or '', '^%S+ %S+ (%d+) (%d+)$')
    local recalled = not taken or tonumber(taken) < math.max(tonumber(marks[2] or 0), tonumber(marks[3] or 0))
    outcome = recalled and 'recalled' or 'live'
    local found = figure(hold.token)
    if outcome == 'live' then
      if vouched then
        reset_if_due(hold.token)
        local all = free_beside(hold) + hold.amount
        local more = math.min(tonumber(target), math.floor(all / SHARE)) - hold.amount
        if more > 0 and not (hold.on_token and beyond(found.held + more)) and not (hold.on_account and beyond(account.held + more)) then
          hold.amount = hold.amount + more
          found.held = found.held + (hold.on_token and more or 0)
          account.held = account.held + (hold.on_account and more or 0)
          moved_slices[id] = true
          figure_changed(hold.token)
        end
      end
      if tonumber(lease) > 0 then
        hold.lease_end = math.max(hold.lease_end, later(lease))
        found.used = now
        moved_slices[id] = true
        figure_changed(hold.token)
      end
      usable = math.max(math.min(tonumber(bound), found.resets or END_OF_TIME, hold.lease_end) - now, 0)
    end
    amount, free = hold.amount, free_beside(hold)
  end
  for _, word in ipairs({outcome, text(amount), text(free), text(usable)}) do
    reply[#reply + 1] = word
  end
end

note_slices()
if changed then
  save()
end
for token, ids in pairs(lists) do
  if #ids == 0 then
    gone[#gone + 1] = '@' .. token
  else
    call('HSET', SLICES, '@' .. token, table.concat(ids, ' '))
  end
end
if #gone > 0 then
  call('HDEL', SLICES, unpack(gone))
end
return answer('done', unpack(reply))
