-- Some live tokens of the account, in order of creation: to go through many, a few at a time.
--
-- KEYS   the account's, all of them, in their order
-- ARGV   1 identity (not compared), 2 only tokens after this id, 3 how many at most
-- Reply  views: for each token: id, identity as JSON, figures
-- O(log tokens + how many)

local tokens = call('ZRANGEBYSCORE', LIVE, '(' .. ARGV[2], '(+inf', 'LIMIT', 0, ARGV[3])
local views = {}
if #tokens > 0 then
  local identities, figures = call('HMGET', IDENTITIES, unpack(tokens)), call('HMGET', FIGURES, unpack(tokens))
  for index, token in ipairs(tokens) do
    views[3 * index - 2], views[3 * index - 1], views[3 * index] = token, identities[index], figures[index]
  end
end
return answer('views', unpack(views))
