-- Who goes next: fair places, and the lines before each stage where jobs stand while it is shut or full.

-- Self-clocked fair queueing (Golestani 1994): a job's place is one after its owner's last, but not before the
-- one being served. Whoever queues hundreds is overtaken by whoever queues one.
local function take_place(owner)
  local served = tonumber(redis.call('GET', P .. 'served') or 0)
  local last = tonumber(redis.call('ZSCORE', P .. 'fair', owner) or 0)
  local place = math.max(served, last) + 1
  redis.call('ZADD', P .. 'fair', place, owner)
  return int(place)
end

-- An owner without jobs needs no memory of its places: they have all been served.
local function leave(owner, id)
  redis.call('SREM', owner_key(owner), id)
  if redis.call('EXISTS', owner_key(owner)) == 0 then redis.call('ZREM', P .. 'fair', owner) end
end

local function line_key(stage) return P .. 'line:' .. stage end
local function paused_key(stage) return P .. 'paused:' .. stage end
local function breaker_key(stage) return P .. 'breaker:' .. stage end
local function suspects_key(stage) return P .. 'suspects:' .. stage end

local function in_flight(stage)
  local found = 0
  for state, of in pairs(IN_FLIGHT) do
    if of == stage then found = found + redis.call('ZCARD', state_key(state)) end
  end
  return found
end

-- Who has its room at a stage already stands before all who need some there, or they would wait for each other.
local OUT = 1e12
local function standing(state, place)
  return IN_FLIGHT[state] and place - OUT or place
end

-- How many more jobs a stage takes now: nil when it is shut, and whether that one would be a trial.
local function room(stage)
  if redis.call('EXISTS', paused_key(stage)) == 1 then return nil, false end
  local breaker = redis.call('HMGET', breaker_key(stage), 'until_ms', 'trial_ms')
  if breaker[1] then
    if tonumber(breaker[1]) > now or tonumber(breaker[2] or 0) > now then return nil, false end
    return 1, true
  end
  local limit = a.in_flight_limits[stage]
  return limit and limit - in_flight(stage) or math.huge, false
end

-- Those that stood in line longest go next, as many as there is room for. A job stays in line until it is
-- claimed; one that is out at the analysis server already takes no more room there.
local function nudge(stage)
  local line = line_key(stage)
  if redis.call('EXISTS', line) == 0 then return end
  local free, trial = room(stage)
  if not free then return end
  for _, id in ipairs(redis.call('ZRANGE', line, 0, 99)) do
    local record = redis.call('HMGET', job_key(id), 'state', 'version')
    if not record[1] or (PROGRESS[record[1]] and STAGES[record[1]] ~= stage) then
      redis.call('ZREM', line, id)
    elseif PROGRESS[record[1]] then -- the states of later versions are theirs to know
      local takes = 1
      if IN_FLIGHT[record[1]] and not trial then takes = 0 end
      if takes > 0 and takes > free then return end
      if not redis.call('ZSCORE', DUE, id) then dispatch(id, tonumber(record[2])) end
      free = free - takes
    end
  end
end

-- Whether a job may start its stage now; if not it stands in line, and the clock leaves it to the line.
local function admitted(id, state, stage, place, answered)
  local free, trial = room(stage)
  if answered and (stage == 'submit' or stage == 'preprocess') then return true, false end -- it will not ask any more
  if free and IN_FLIGHT[state] and not trial then free = math.huge end
  if free == math.huge then return true, false end
  local line = line_key(stage)
  redis.call('ZADD', line, 'NX', standing(state, place), id)
  if free then
    local before = redis.call('ZRANK', line, id)
    if not trial then before = before - redis.call('ZCOUNT', line, '-inf', '(0') end -- those that are out
    if before < free then return true, trial end
  end
  redis.call('ZREM', DUE, id)
  return false, false
end

-- A job failed at a stage in a way that others would too. After a.breaker_jobs different ones in a row, none of
-- which got through in between, the stage is shut for all; then one at a time tries it. True when it is shut.
local function strike(stage, id, code, pause_ms)
  local breaker, suspects = breaker_key(stage), suspects_key(stage)
  local open = redis.call('HMGET', breaker, 'until_ms', 'opens')
  if open[1] and tonumber(open[1]) > now then return true end
  redis.call('SADD', suspects, id)
  redis.call('PEXPIRE', suspects, 600000)
  if not open[1] and redis.call('SCARD', suspects) < a.breaker_jobs then return false end
  local opens = tonumber(open[2] or 0)
  local pause = math.max(math.min(1000 * 2 ^ opens, 15000), pause_ms)
  redis.call('HSET', breaker, 'until_ms', int(now + pause), 'opens', int(opens + 1), 'code', code)
  redis.call('HDEL', breaker, 'trial', 'trial_ms')
  redis.call('PEXPIRE', breaker, int(pause + 600000))
  return true
end

-- The stage works: whoever stood before its breaker goes on.
local function works(stage)
  redis.call('DEL', suspects_key(stage))
  if redis.call('DEL', breaker_key(stage)) == 1 then nudge(stage) end
end

-- A job that tried a shut stage was stopped before it could tell whether the stage works: another may try.
local function untried(stage, id)
  if not stage or redis.call('HGET', breaker_key(stage), 'trial') ~= id then return end
  redis.call('HDEL', breaker_key(stage), 'trial', 'trial_ms')
  nudge(stage)
end

-- To the end of the line, but not before those that came earlier: the next one to try a stage that is shut is another.
local function stand_last(id, stage)
  local last = redis.call('ZRANGE', line_key(stage), -1, -1, 'WITHSCORES')
  local place = tonumber(redis.call('HGET', job_key(id), 'place') or 0)
  redis.call('ZADD', line_key(stage), math.max(place, (tonumber(last[2]) or 0) + 1), id)
  redis.call('ZREM', DUE, id)
end

local function leave_line(id, state)
  local stage = STAGES[state]
  if stage then redis.call('ZREM', line_key(stage), id) end
end

local function note(stage, action)
  redis.call('XADD', P .. 'gatekeeping', 'MAXLEN', '~', '1000', '*',
    'at_ms', int(now), 'stage', stage, 'action', action, 'who', a.who, 'why', a.why)
  redis.call('PEXPIRE', P .. 'gatekeeping', 7776000000) -- 90 days
end

function commands.pause()
  for _, stage in ipairs(a.names) do
    if redis.call('HGET', paused_key(stage), 'op') ~= a.op then
      redis.call('HSETNX', paused_key(stage), 'since_ms', int(now))
      redis.call('HSET', paused_key(stage), 'op', a.op, 'who', a.who, 'why', a.why)
      note(stage, 'pause')
    end
  end
  return { 'paused' }
end

function commands.resume()
  for _, stage in ipairs(a.names) do
    if redis.call('DEL', paused_key(stage)) == 1 then note(stage, 'resume') end
    nudge(stage)
  end
  return { 'resumed' }
end
