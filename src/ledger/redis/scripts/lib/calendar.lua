-- Refused where `now` is not of the day that the gateway computed the calendar for.
if now < tonumber(ARGV[3]) or now >= tonumber(ARGV[4]) then
  return answer('calendar')
end
