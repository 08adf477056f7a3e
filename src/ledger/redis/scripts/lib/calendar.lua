-- The day, and when each period begins anew, as the gateway computed them; refused where `now` is not of that day.
local calendar = {day = ARGV[2], daily = tonumber(ARGV[4]), weekly = tonumber(ARGV[5]), monthly = tonumber(ARGV[6])}
if now < tonumber(ARGV[3]) or now >= calendar.daily then
  return answer('calendar')
end
