-- A token's identity as JSON, every value a string, in one order.
local FIELDS = {'active', 'period', 'reset_amount', 'expires', 'created', 'deleted'}

local function identity_text(identity)
  local secrets = {}
  for index, secret in ipairs(identity.secrets) do
    secrets[index] = cjson.encode(secret)
  end
  local parts = {'{"name":' .. cjson.encode(identity.name), '"kind":' .. cjson.encode(identity.kind), '"secrets":[' .. table.concat(secrets, ',') .. ']'}
  for _, field in ipairs(FIELDS) do
    parts[#parts + 1] = '"' .. field .. '":' .. cjson.encode(identity[field])
  end
  return table.concat(parts, ',') .. '}'
end

-- The field of `names` that leads from a secret to its token. No token's name holds a slash.
local function secret_field(hash)
  return '/' .. hash
end
