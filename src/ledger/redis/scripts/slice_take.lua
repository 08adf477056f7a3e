-- Sets a slice of a token's budget aside for one gateway: an eighth of what is free at most, on every enforced budget above the token, or on none.
--
-- KEYS   the account's, all of them, in their order, then its slices
-- ARGV   1 identity, 2-6 calendar, 7 slice, 8 token, 9 secret's SHA-256 in hex, 10 how much at most, 11 how much at least, 12 lease in ms, 13 gateway
-- Reply  taken: amount, whether it stands on the token's and on the account's budget, what is free after, for how many ms it may be used
--        none: there is too little, there was a recall a moment ago, or no budget is enforced
-- O(log holds + slices of the token)

local SHARE = 8
local id, token, secret = ARGV[7], ARGV[8], ARGV[9]
local most, least = tonumber(ARGV[10]), tonumber(ARGV[11])

local identity = identity_of(token)
local bound = nil
if identity and identity.deleted == '' and identity.kind ~= 'sandbox_api_token' then
  for _, stored in ipairs(identity.secrets) do
    if stored[1] == secret and (stored[3] == '' or now < tonumber(stored[3])) then
      bound = tonumber(stored[3]) or END_OF_TIME
    end
  end
end
if not bound then
  return answer('none')
end
bound = math.min(bound, tonumber(identity.expires) or END_OF_TIME)
expire_due(16)
reset_if_due(token)
local found = figure(token)
for _, quiet in ipairs(call('HMGET', SLICES, '!', '!' .. token)) do
  if quiet and now < tonumber(quiet) then
    return finish('none')
  end
end
-- Of gateways that died, some may be gone.
local others = living(words(call('HGET', SLICES, '@' .. token)))
-- What was given back before it came is refused.
if tombstone_of(id) or call('HEXISTS', HOLDS, id) == 1 then
  return finish('none')
end

local on_token = identity.active == '1' and found.balance ~= nil
local on_account = account.balance ~= nil
local free = on_token and free_of(found) or nil
if on_account then
  free = math.min(free or MAX, free_of(account))
end
local amount = free and math.min(most, math.floor(free / SHARE)) or 0
if amount < math.max(least, 1) or (on_token and beyond(found.held + amount)) or (on_account and beyond(account.held + amount)) then
  return finish('none')
end
local usable = math.min(bound, found.resets or END_OF_TIME, later(ARGV[12])) - now
if usable <= 0 then
  return finish('none')
end
if on_token then
  found.held = found.held + amount
end
if on_account then
  account.held = account.held + amount
end
found.used = now
figure_changed(token)
local hold = {token = token, amount = amount, on_token = on_token, on_account = on_account, lease_end = later(ARGV[12]), label = SLICE_LABEL}
push(hold_sets, id, hold_text(hold))
push(lease_sets, text(hold.lease_end), id)
save()
others[#others + 1] = id
call('HSET', SLICES, id, token .. ' ' .. ARGV[13] .. ' ' .. text(bound) .. ' ' .. now_text, '@' .. token, table.concat(others, ' '))
return answer('taken', text(amount), flag(on_token), flag(on_account), text(free - amount), text(usable))
