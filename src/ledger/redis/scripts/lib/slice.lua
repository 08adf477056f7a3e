-- Slices: money of a token that one gateway has set aside, to admit requests from by itself. In the keys a slice is a hold like any other; SLICES knows which
-- holds are slices, and whose. A request admitted from one is told of a moment later: what it holds then moves from the slice to a hold of its own.

-- Only for scripts that are given this key.
--   a slice's id     its token, gateway, until when it may be used at most, when it was taken
--   "@" and a token  the ids of its slices; some may be gone
--   "!" and a token  until when no slice of it is taken, since they were called back: those that were taken before are to go back; "!" alone: the account's
--   "!recent"        how often slices were called back, and whose, the last first: a token's, or "-" for the account's
--   "!cursor"        how far `slice_recall.lua` has tidied up
local SLICES = KEYS[15]
-- What a slice is booked under, should it expire.
local SLICE_LABEL = '"","","slice"'

local slices, moved_slices = {}, {}
local lowered = {}
local made = {}

-- A slice that lives; nil otherwise.
local function slice_of(id)
  if slices[id] == nil then
    local stored = call('HGET', HOLDS, id)
    slices[id] = stored and read_hold(stored) or false
  end
  return slices[id] or nil
end

-- Those of some slices that live. An id is looked for among the holds: what expires is not noted here.
local function living(ids)
  local found = {}
  for from = 1, #ids, 500 do
    local stored = call('HMGET', HOLDS, unpack(ids, from, math.min(from + 499, #ids)))
    for index, hold in ipairs(stored) do
      if hold then
        found[#found + 1] = ids[from + index - 1]
      end
    end
  end
  return found
end

local function words(text)
  local found = {}
  for word in string.gmatch(text or '', '%S+') do
    found[#found + 1] = word
  end
  return found
end

-- What is remembered of a slice that expired, as it is after what was done here; nil otherwise.
local function tombstone_of_slice(id)
  if lowered[id] == nil then
    local tombstone = tombstone_of(id)
    lowered[id] = tombstone and tombstone.hold and tombstone or false
  end
  return lowered[id] or nil
end

-- Takes `part` out of the charge of a slice that expired: it was never idle, and is held for its request from now on.
local function lower(id, part)
  local tombstone = tombstone_of_slice(id)
  local hold = tombstone and tombstone.hold
  if not hold or hold.amount == 0 then
    return
  end
  reset_if_due(hold.token)
  part = math.min(part, hold.amount)
  -- A balance that was set since the charge does not know of it: nothing is given back into that.
  local on_token = hold.on_token and figure(hold.token).sets == tombstone.token_sets
  local on_account = hold.on_account and account.sets == tombstone.account_sets
  local charge = compute(hold, -part, on_token, on_account)
  if charge then
    hold.amount = hold.amount - part
    tombstone.lowered = true
    add_usage(tombstone.day, hold.token, hold.label, 0, -part, 0, '')
    apply(id, hold, charge, {kind = 'correct', certainty = 'uncertain', usage = '', label = hold.label})
  end
end

-- Makes the hold of a request that was admitted from a slice, or that a failover lost, whatever is free. What the slice has of it moves; the rest is held of
-- the budgets anew. Nothing happens where the hold lives, has a tombstone, or ended a moment ago. `stored` is what HOLDS says of it. Returns whether it was made,
-- nil where it cannot be counted.
local function make_hold(id, hold, slice, stored)
  if made[id] or stored or call('ZSCORE', ENDED, id) or tombstone_of(id) then
    return false
  end
  local found = figure(hold.token)
  local from = slice ~= '' and slice_of(slice)
  local part = 0
  if from and from.token == hold.token and from.on_token == hold.on_token and from.on_account == hold.on_account then
    part = math.min(from.amount, hold.amount)
  end
  local rest = hold.amount - part
  if (hold.on_token and beyond(found.held + rest)) or (hold.on_account and beyond(account.held + rest)) then
    return nil
  end
  if part > 0 then
    from.amount = from.amount - part
    moved_slices[slice] = true
  elseif slice ~= '' and not from and rest > 0 then
    lower(slice, rest)
  end
  if hold.on_token and rest > 0 then
    found.held = found.held + rest
    figure_changed(hold.token)
  end
  if hold.on_account then
    account.held = account.held + rest
  end
  made[id] = hold
  changed = true
  return true
end

-- To be called once, before `save`.
local function note_slices()
  for id, hold in pairs(made) do
    push(hold_sets, id, hold_text(hold))
    push(lease_sets, text(hold.lease_end), id)
  end
  for id in pairs(moved_slices) do
    if slices[id] then
      push(hold_sets, id, hold_text(slices[id]))
      push(lease_sets, text(slices[id].lease_end), id)
    end
  end
  for id, tombstone in pairs(lowered) do
    if tombstone and tombstone.lowered then
      local head, tail = match(call('HGET', TOMBSTONES, id), '^(%d+ %d+ %d+) %d+ (.*)$')
      push(tombstone_sets, id, head .. ' ' .. text(tombstone.hold.amount) .. ' ' .. tail)
    end
  end
end
