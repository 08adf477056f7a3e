-- What the rules read and change. Everything is read before, and computed in memory; `save` writes all of it at the end, so that nothing can fail halfway.

-- How long the id of a hold that ended is remembered, for the sake of `restore`.
local ENDED_LIFE = 120000

local changed = false
local figures, changed_figures = {}, {}
local identities = {}
local journal = {}
local usage_rows = {}
-- Field, value, field, value; score, member, score, member; or members alone.
local hold_sets, hold_drops, lease_sets = {}, {}, {}
local tombstone_sets, tombstone_end_sets, ended = {}, {}, {}

local function push(list, first, second)
  list[#list + 1] = first
  if second then
    list[#list + 1] = second
  end
  changed = true
end

-- The figures of a token.
local function figure(token)
  local found = figures[token]
  if not found then
    local balance, held, sets, spent, resets, used = match(call('HGET', FIGURES, token) or '', '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
    if not balance then
      error('token ' .. token .. ' has no figures')
    end
    found = {
      balance = tonumber(balance), held = tonumber(held), sets = tonumber(sets),
      spent = tonumber(spent), resets = tonumber(resets), used = tonumber(used),
    }
    figures[token] = found
  end
  return found
end

local function figure_text(found)
  local or_none = function(number)
    return number and text(number) or '-'
  end
  return or_none(found.balance) .. ' ' .. text(found.held) .. ' ' .. text(found.sets) .. ' ' .. text(found.spent) .. ' ' ..
    or_none(found.resets) .. ' ' .. or_none(found.used)
end

local function figure_changed(token)
  changed_figures[token] = true
  changed = true
end

-- What else there is to know of a token; nil where there is none.
local function identity_of(token)
  if identities[token] == nil then
    local stored = call('HGET', IDENTITIES, token)
    identities[token] = stored and cjson.decode(stored)
  end
  return identities[token] or nil
end

-- What can be set aside; nil where there is no balance.
local function free_of(budget)
  return budget.balance and math.max(math.min(budget.balance - budget.held, MAX), -MAX)
end

-- Sets a balance absolutely. Returns by how much it changed.
local function set_balance(budget, balance)
  local delta = (balance or 0) - (budget.balance or 0)
  budget.balance = balance
  budget.sets = budget.sets + 1
  return delta
end

-- A line of the journal. `label` is a piece of JSON, and so is `version`.
local function note(kind, token, hold, token_delta, account_delta, cost, certainty, label, usage, version)
  push(journal, '[' .. text(now) .. ',"' .. kind .. '","' .. token .. '","' .. hold .. '",' .. text(token_delta) .. ',' .. text(account_delta) .. ',' ..
    text(cost) .. ',"' .. certainty .. '",' .. (label or '"","",""') .. ',"' .. (usage or '') .. '",' .. (version or '""') .. ']')
end

-- Adds to a row of the daily usage.
local function add_usage(day, token, label, requests, cost, estimated, usage)
  local key = '["' .. day .. '","' .. token .. '",' .. label .. ']'
  local row = usage_rows[key]
  if not row then
    row = {requests = 0, cost = 0, estimated = 0, counts = {}, order = {}}
    usage_rows[key] = row
  end
  row.requests, row.cost, row.estimated = row.requests + requests, row.cost + cost, row.estimated + estimated
  for unit, count in string.gmatch(usage, '([%w_]+)=(%d+)') do
    if not row.counts[unit] then
      row.order[#row.order + 1] = unit
    end
    row.counts[unit] = math.min((row.counts[unit] or 0) + tonumber(count), MAX)
  end
  changed = true
end

-- Applies a periodic reset that is due: sets the balance, leaves the holds standing.
local function reset_if_due(token)
  local found = figure(token)
  if not found.resets or now < found.resets then
    return
  end
  local identity = identity_of(token)
  if identity.period == '' or identity.deleted ~= '' then
    return
  end
  note('reset', token, '', set_balance(found, tonumber(identity.reset_amount)), 0, 0, '')
  found.resets = calendar[identity.period]
  figure_changed(token)
end

-- Writes whatever changed. From the first write on nothing is read or decided any more.
local function save()
  local usage_sets, usage_drops = {}, {}
  for key, row in pairs(usage_rows) do
    local stored = call('HGET', USAGE, key)
    if stored then
      local requests, cost, estimated, units = match(stored, '^(%S+) (%S+) (%S+)(.*)$')
      local mine = row
      row = {requests = mine.requests + requests, cost = mine.cost + cost, estimated = mine.estimated + estimated, counts = mine.counts, order = {}}
      local seen = {}
      for unit, count in string.gmatch(units, '([%w_]+)=(%d+)') do
        row.order[#row.order + 1] = unit
        row.counts[unit] = math.min((row.counts[unit] or 0) + tonumber(count), MAX)
        seen[unit] = true
      end
      for _, unit in ipairs(mine.order) do
        if not seen[unit] then
          row.order[#row.order + 1] = unit
        end
      end
    end
    if row.requests == 0 and row.cost == 0 and row.estimated == 0 and #row.order == 0 then
      usage_drops[#usage_drops + 1] = key
    else
      local words = {text(row.requests), text(row.cost), text(row.estimated)}
      for _, unit in ipairs(row.order) do
        words[#words + 1] = unit .. '=' .. text(row.counts[unit])
      end
      usage_sets[#usage_sets + 1] = key
      usage_sets[#usage_sets + 1] = table.concat(words, ' ')
    end
  end
  local figure_sets = {}
  for token in pairs(changed_figures) do
    figure_sets[#figure_sets + 1] = token
    figure_sets[#figure_sets + 1] = figure_text(figures[token])
  end
  -- Not before every gateway has put back what it remembers.
  local forgotten = vouched and call('ZRANGEBYSCORE', ENDED, '-inf', text(now - ENDED_LIFE), 'LIMIT', 0, #ended + 4) or {}

  seq = seq + 1
  call('HSET', ACCOUNT, 'balance', text(account.balance), 'held', text(account.held), 'sets', text(account.sets), 'seq', text(seq), 'now', text(now))
  local function write(command, key, list)
    if #list > 0 then
      call(command, key, unpack(list))
    end
  end
  write('HSET', FIGURES, figure_sets)
  write('HDEL', HOLDS, hold_drops)
  write('ZREM', LEASES, hold_drops)
  write('HSET', HOLDS, hold_sets)
  write('ZADD', LEASES, lease_sets)
  write('HSET', TOMBSTONES, tombstone_sets)
  write('ZADD', TOMBSTONE_ENDS, tombstone_end_sets)
  write('RPUSH', JOURNAL, journal)
  write('HSET', USAGE, usage_sets)
  write('HDEL', USAGE, usage_drops)
  write('ZREM', ENDED, forgotten)
  write('ZADD', ENDED, ended)
end

-- Writes what changed, if anything did, and answers.
local function finish(outcome, ...)
  if changed then
    save()
  end
  return answer(outcome, ...)
end
