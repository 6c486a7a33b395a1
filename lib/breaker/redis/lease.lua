-- Give out the right to one probe. The same token once more is the same lease.
local TOKEN, LEASE_MS, SLOTS = ARG[11], number(12), math.min(number(13), 32)

roll()
if record.s == OPEN and now >= record.ou then enter(HALF_OPEN) end
if record.s ~= HALF_OPEN then return answer(0) end

local mine, live, left = 'p:' .. TOKEN, 0, nil
each_live('p', function(field, until_ms)
  live = live + 1
  if field == mine then left = until_ms - now end
end)
if left then return answer(1, left) end
if live >= SLOTS then return answer(0) end
redis.call('HSET', KEY, mine, now + LEASE_MS)
save()
return answer(1, LEASE_MS)
