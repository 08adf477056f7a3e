-- Nothing is decided on a server whose state may lack what was acknowledged before a failover.
if not vouched then
  return answer('failover')
end
