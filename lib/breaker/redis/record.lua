-- The record of one breaker, before each of the scripts: read, rolled on to the
-- present, changed, written, answered. All times are the server's, in ms.
local KEY, ARG = KEYS[1], ARGV
local FRESH_ID, CHANNEL, RETENTION = ARG[1], ARG[2], ARG[3]
local function number(i) return tonumber(ARG[i]) end
local WINDOW, FINGERPRINT = ARG[4], number(6)
local WINDOW_MS, OPEN_MS, OPEN_MULT = number(5), number(7), number(8) / 1e6
local OPEN_MAX, JITTER = number(9), number(10)
local CLOSED, OPEN, HALF_OPEN, FORCED = 0, 1, 2, 3
local BAD_DATA = {-1}

local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(time[2] / 1000)

local NAMES = {'s', 'e', 'ou', 'lv', 'ws', 'n', 'f', 'pn', 'pf', 'cf', 'ps',
  'sr', 'sp', 'ss', 'fp'}
local got = redis.pcall('HMGET', KEY, 'v', 'id', unpack(NAMES))
if got.err then return got end

-- What is not of this layout is left alone: another version, numbers that are
-- none, or a hash that somebody else keeps here.
local exists = got[1] ~= false
local record, was = {id = got[2] or ''}, {}
if exists and (got[1] ~= '1' or record.id == '') then return BAD_DATA end
if not exists and #redis.call('HKEYS', KEY) > 0 then return BAD_DATA end
for i, name in ipairs(NAMES) do
  record[name] = tonumber(got[i + 2] or 0)
  was[i] = got[i + 2] and record[name]
  if not record[name] then return BAD_DATA end
end
if record.s < CLOSED or record.s > FORCED then return BAD_DATA end

local function forget_counts()
  record.n, record.f, record.pn, record.pf, record.cf = 0, 0, 0, 0, 0
  record.ps, record.ws = 0, now
end

-- A rolling window is two fixed ones, of which the previous one counts as far
-- as the window still reaches into it. Failures in a row go on over its end.
local function roll()
  local age = now - record.ws
  if record.s ~= CLOSED or WINDOW_MS == 0 or age < WINDOW_MS then
    return
  end
  if WINDOW == 'fixed' then
    forget_counts()
    return
  end
  local next = age < 2 * WINDOW_MS
  record.pn, record.pf = next and record.n or 0, next and record.f or 0
  record.n, record.f = 0, 0
  record.ws = now - age % WINDOW_MS
end

local function totals()
  local weight = 0
  if WINDOW == 'rolling' then
    weight = math.max(0, math.min(1, 1 - (now - record.ws) / WINDOW_MS))
  end
  return record.n + record.pn * weight, record.f + record.pf * weight
end

-- Fields of reporters and leases: a letter, a colon, a name; until when.
local function each_live(letter, visit)
  local all = redis.call('HGETALL', KEY)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == letter .. ':' then
      if (tonumber(all[i + 1]) or 0) > now then
        visit(all[i], tonumber(all[i + 1]))
      else
        redis.call('HDEL', KEY, all[i])
      end
    end
  end
end

local function open_span(own_ms)
  local span = own_ms
  if span <= 0 then span = OPEN_MS * OPEN_MULT ^ record.lv end
  return math.floor(math.min(span, OPEN_MAX)) + JITTER
end

local function remaining()
  return record.s == OPEN and math.max(0, record.ou - now) or 0
end

local changed = false
local function enter(state)
  for _, field in ipairs(redis.call('HKEYS', KEY)) do
    local start = string.sub(field, 1, 2)
    if start == 'w:' or start == 'p:' then redis.call('HDEL', KEY, field) end
  end
  forget_counts()
  record.s, record.e = state, record.e + 1
  if state ~= OPEN then record.ou = 0 end
  if state == CLOSED then record.lv = 0 end
  changed = true
end

local function save()
  local fields = {}
  if record.id == '' then
    record.id = FRESH_ID
    fields = {'v', 1, 'id', FRESH_ID}
  end
  record.fp = FINGERPRINT
  for i, name in ipairs(NAMES) do
    if record[name] ~= was[i] then
      fields[#fields + 1] = name
      fields[#fields + 1] = record[name]
    end
  end
  if #fields > 0 then redis.call('HSET', KEY, unpack(fields)) end
  redis.call('PEXPIRE', KEY, RETENTION)
  if changed then
    redis.call('PUBLISH', CHANNEL, record.s .. ' ' .. record.e .. ' ' ..
      remaining() .. ' ' .. KEY)
  end
end

local function answer(done, lease_ms)
  local calls, failures = totals()
  local rate = record.ss == second and record.sp or
    record.ss == second - 1 and record.sr or 0
  return {done, record.id, record.s, record.e, remaining(), record.lv,
    calls, failures, record.cf, rate, record.fp, lease_ms or 0}
end
