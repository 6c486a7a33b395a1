-- Add what one process saw, and open the breaker if the rule says so.
local ERA, MEMBER, CALLS, FAILURES = number(11), ARG[12], number(13), number(14)
local LEADING, TRAILING, LONGEST = number(15), number(16), number(17)
local VOTE, OWN_MS = ARG[18] == '1', number(19)
local CONSEC, PCT, MIN_CALLS = number(20), number(21), number(22)
local MIN_REPORTERS = math.min(number(23), 64)

roll()
if record.s ~= CLOSED or record.e ~= ERA or (CALLS == 0 and not VOTE) then
  return answer(0)
end

if not exists then record.ws = now end
if second ~= record.ss then
  record.sp = second == record.ss + 1 and record.sr or 0
  record.sr, record.ss = 0, second
end
record.sr = record.sr + 1

record.n, record.f = record.n + CALLS, record.f + FAILURES
local run = math.max(record.cf + LEADING, LONGEST)
record.cf = CALLS == FAILURES and record.cf + FAILURES or TRAILING

-- With one reporter enough, whoever asks is that one.
local reporters = 1
if MIN_REPORTERS > 1 and (FAILURES > 0 or VOTE) then
  local mine = 'w:' .. MEMBER
  local until_ms = now + math.max(WINDOW_MS, 60000)
  reporters = 1
  each_live('w', function(field)
    if field ~= mine then reporters = reporters + 1 end
  end)
  if reporters <= 64 then redis.call('HSET', KEY, mine, until_ms) end
end

local calls, failures = totals()
local crossed = FAILURES > 0 and ((CONSEC > 0 and run >= CONSEC) or
  (PCT > 0 and calls >= MIN_CALLS and failures * 100 >= PCT * calls))
if (crossed or VOTE) and reporters >= MIN_REPORTERS then
  enter(OPEN)
  record.ou = now + open_span(OWN_MS)
end
save()
return answer(1)
