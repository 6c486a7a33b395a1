-- The end of a lease: a success counts, a failure opens, all else gives back.
local ERA, TOKEN, OUTCOME, OWN_MS, NEED =
  number(11), ARG[12], ARG[13], number(14), number(15)

roll()
if record.s ~= HALF_OPEN or record.e ~= ERA then return answer(0) end
local mine = 'p:' .. TOKEN
local until_ms = tonumber(redis.call('HMGET', KEY, mine)[1] or 0) or 0
if until_ms <= now then return answer(0) end

redis.call('HDEL', KEY, mine)
if OUTCOME == 'failure' then
  record.lv = record.lv + 1
  enter(OPEN)
  record.ou = now + open_span(OWN_MS)
elseif OUTCOME == 'success' then
  record.ps = record.ps + 1
  if record.ps >= NEED then enter(CLOSED) end
end
save()
return answer(1)
