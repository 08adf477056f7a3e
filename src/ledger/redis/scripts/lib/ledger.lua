-- What the rules read and change. Everything is read before, and computed in memory; `save` writes all of it at the end, so that nothing can fail halfway.
--include lib/records.lua
--include lib/free.lua
-- The day, and when each period begins anew.
local calendar = {day = ARGV[2], daily = ARGV[4], weekly = ARGV[5], monthly = ARGV[6]}
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
    local balance, held, sets, spent, resets, used = read_figures(token)
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

-- Sets a balance absolutely. Returns by how much it changed.
local function set_balance(budget, balance)
  local delta = (balance or 0) - (budget.balance or 0)
  budget.balance = balance
  budget.sets = budget.sets + 1
  return delta
end

-- A line of the journal. `label` is a piece of JSON, and so is `version`.
local function note(kind, token, hold, token_delta, account_delta, cost, certainty, label, usage, version)
  push(journal, journal_line(kind, token, hold, text(token_delta), text(account_delta), text(cost), certainty, label or '"","",""', usage or '', version or '""'))
end

-- Adds to a row of the daily usage.
local function add_usage(day, token, label, requests, cost, estimated, usage)
  local key = '["' .. day .. '","' .. token .. '",' .. label .. ']'
  usage_rows[key] = add_to_row(usage_rows[key] or call('HGET', USAGE, key), requests, cost, estimated, usage)
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
  found.resets = tonumber(calendar[identity.period])
  figure_changed(token)
end

-- Writes whatever changed. From the first write on nothing is read or decided any more.
local function save()
  local usage_sets, usage_drops = {}, {}
  for key, row in pairs(usage_rows) do
    if row == '0 0 0' then
      usage_drops[#usage_drops + 1] = key
    else
      usage_sets[#usage_sets + 1] = key
      usage_sets[#usage_sets + 1] = row
    end
  end
  local figure_sets = {}
  for token in pairs(changed_figures) do
    figure_sets[#figure_sets + 1] = token
    figure_sets[#figure_sets + 1] = figure_text(figures[token])
  end
--include lib/forget.lua

  seq = text(seq + 1)
  call('HSET', ACCOUNT, 'balance', text(account.balance), 'held', text(account.held), 'sets', text(account.sets), 'seq', seq, 'now', now_text)
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
  write('ZREM', ENDED, forgotten or {})
  write('ZADD', ENDED, ended)
end

-- Writes what changed, if anything did, and answers.
local function finish(outcome, ...)
  if changed then
    save()
  end
  return answer(outcome, ...)
end
