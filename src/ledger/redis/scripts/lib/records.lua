-- How what changes with every request is spelt: figures, lines of the journal, rows of the daily usage. All of it is texts.

-- The figures of a token: balance, held, sets, spent, resets, used; "-" for none.
local function read_figures(token)
  local balance, held, sets, spent, resets, used = match(call('HGET', FIGURES, token) or '', '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  if not balance then
    error('token ' .. token .. ' has no figures')
  end
  return balance, held, sets, spent, resets, used
end

-- A line of the journal. `label` is a piece of JSON, and so is `version`.
local function journal_line(kind, token, hold, token_delta, account_delta, cost, certainty, label, usage, version)
  return '[' .. now_text .. ',"' .. kind .. '","' .. token .. '","' .. hold .. '",' .. token_delta .. ',' .. account_delta .. ',' .. cost .. ',"' ..
    certainty .. '",' .. label .. ',"' .. usage .. '",' .. version .. ']'
end

-- The sums of two usages, unit by unit.
local function add_units(units, more)
  local counts = {}
  for unit, count in string.gmatch(more, '([%w_]+)=(%d+)') do
    counts[unit] = count
  end
  units = string.gsub(units, '([%w_]+)=(%d+)', function(unit, count)
    local sum = counts[unit] and count + counts[unit]
    counts[unit] = nil
    return sum and unit .. '=' .. text(sum < MAX and sum or MAX)
  end)
  if next(counts) then
    -- Those that were not there yet, in their order.
    for unit, count in string.gmatch(more, '([%w_]+)=(%d+)') do
      units = counts[unit] and units .. ' ' .. unit .. '=' .. count or units
    end
  end
  return units
end

-- A row of the daily usage with that added to it: requests, cost, how many of them were estimated, units such as `input=12 output=3`.
local function add_to_row(row, requests, cost, estimated, usage)
  local requests_before, cost_before, estimated_before, units = match(row or '0 0 0', '^(%S+) (%S+) (%S+)(.*)$')
  return text(requests_before + requests) .. ' ' .. text(cost_before + cost) .. ' ' ..
    (estimated == 0 and estimated_before or text(estimated_before + estimated)) .. (usage == '' and units or add_units(units, usage))
end
