-- Ids of holds that ended are remembered for two minutes, for the sake of `restore`. Those that are older, some of them: in every other call is often enough,
-- however admissions and endings alternate. And not before every gateway has put back what it remembers.
local forgotten = vouched and seq % 4 < 2 and call('ZRANGEBYSCORE', ENDED, '-inf', text(now - 120000), 'LIMIT', '0', '16')
