-- Every change of a job's record, each command one atomic step.
--
-- KEYS[1]  the prefix of all our keys (one primary, no cluster: keys are derived from it here)
-- ARGV[1]  command    ARGV[2]  its arguments as JSON    ARGV[3]  raw bytes, where a command stores some
--
-- Time is the server's own (TIME), in milliseconds. Each command may safely be sent twice, as happens when a
-- reply is lost: claims and moves carry a random id that is remembered in the record.

local P = KEYS[1]
local a = cjson.decode(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local DUE, QUEUE, HELD = P .. 'due', P .. 'queue', P .. 'held'
local STAGED, STAGED_BYTES = P .. 'staged', P .. 'staged_bytes'
local function job_key(id) return P .. 'job:' .. id end
local function events_key(id) return P .. 'events:' .. id end
local function inbox_key(id) return P .. 'inbox:' .. id end
local function state_key(state) return P .. 'state:' .. state end
local function int(number) return string.format('%d', number) end

-- A hand-over whose worker died would lie locked at the head of arq's queue; the newest is the only one wanted.
local function forget_hand_over(id)
  local last = redis.call('HGET', job_key(id), 'handed')
  if last then redis.call('ZREM', QUEUE, last) end
end

-- Hand a job to arq under an id of its own: the two keys that arq's enqueue would write, the score a counter
-- so that the order is first come first served whatever the hosts' clocks say.
local function dispatch(id, version)
  forget_hand_over(id)
  local number = redis.call('INCR', P .. 'seq')
  local arq_id = id .. ':' .. int(version) .. ':' .. int(number)
  redis.call('SET', 'arq:job:' .. arq_id, a.payload, 'PX', 86400000)
  redis.call('ZADD', QUEUE, number, arq_id)
  redis.call('HSET', job_key(id), 'handed', arq_id)
  redis.call('ZADD', DUE, now + a.dispatch_ms, id)
  redis.call('PUBLISH', P .. 'wake', '1')
end

local function log(id, version, move, source, target, event)
  redis.call('XADD', events_key(id), 'MAXLEN', '~', '256', int(version) .. '-0',
    'move', move, 'source', source or '', 'target', target, 'at_ms', int(now), 'actor', a.actor,
    'attempt', int(event.attempt or 0), 'code', event.code or '', 'cause', event.cause or '')
end

local function index(id, source, target)
  if source == target then return end
  if source then redis.call('ZREM', state_key(source), id) end
  redis.call('ZADD', state_key(target), now, id)
end

local function unstage(id)
  local size = redis.call('HGET', STAGED, id)
  if size then
    redis.call('HDEL', STAGED, id)
    redis.call('DECRBY', STAGED_BYTES, size)
  end
  if a.audio_key then redis.call('UNLINK', a.audio_key) end
end

local function in_flight()
  return redis.call('ZCARD', state_key('submitting')) + redis.call('ZCARD', state_key('waiting'))
end

-- The analysis server has room again: those that have waited longest for it go next. A job stays in line until
-- it is claimed; one that was handed over already is due later than one that is merely held.
local function nudge()
  local room = a.in_flight_limit - in_flight()
  if room < 1 then return end
  for _, id in ipairs(redis.call('ZRANGE', HELD, 0, room - 1)) do
    local record = redis.call('HMGET', job_key(id), 'state', 'version')
    if record[1] ~= 'uploaded' then
      redis.call('ZREM', HELD, id)
    elseif tonumber(redis.call('ZSCORE', DUE, id) or 0) <= now + a.in_flight_ms then
      dispatch(id, tonumber(record[2]))
    end
  end
end

local IN_FLIGHT = { submitting = true, waiting = true }

-- One step of the version: fields, state, index, event, hint to whoever watches.
local function step(id, source, target, move, fields, event)
  local version = redis.call('HINCRBY', job_key(id), 'version', 1)
  local progress = tonumber(redis.call('HGET', job_key(id), 'progress') or 0)
  fields.state = target
  fields.updated_ms = int(now)
  if a.progress and a.progress[target] and a.progress[target] > progress then
    fields.progress = int(a.progress[target])
  end
  local flat = {}
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', job_key(id), unpack(flat))
  index(id, source, target)
  log(id, version, move, source, target, event)
  redis.call('PUBLISH', P .. 'changed:' .. id, int(version))
  if IN_FLIGHT[source] and not IN_FLIGHT[target] then nudge() end
  return version
end

local commands = {}

-- The blob is staged already (with a TTL); what follows makes it a job. Nothing is written when refused.
function commands.accept()
  local id, fields = a.id, a.fields
  local known = redis.call('GET', P .. 'dedupe:' .. fields.dedupe)
  if known then
    local state = redis.call('HGET', job_key(known), 'state')
    if state and not a.dead[state] then return { 'known', known } end
  end
  if redis.call('SCARD', P .. 'owner:' .. fields.owner) >= a.owner_limit then return { 'too_many' } end
  local staged = tonumber(redis.call('GET', STAGED_BYTES) or 0)
  if staged + tonumber(fields.size) > a.staged_limit then return { 'full' } end
  if a.audio_key and redis.call('PEXPIRE', a.audio_key, a.audio_ms) == 0 then return { 'unstaged' } end

  redis.call('SET', P .. 'dedupe:' .. fields.dedupe, id, 'PX', a.dedupe_ms)
  redis.call('SADD', P .. 'owner:' .. fields.owner, id)
  if redis.call('HSET', STAGED, id, fields.size) == 1 then redis.call('INCRBY', STAGED_BYTES, fields.size) end
  fields.created_ms = int(now)
  local version = step(id, false, a.target, a.move, fields, {})
  dispatch(id, version)
  return { 'accepted', id, redis.call('HGETALL', job_key(id)) }
end

-- A record for a row that has lost its own: its audio is in S3, the next stage is the analysis.
function commands.adopt()
  local id, fields = a.id, a.fields
  if redis.call('EXISTS', job_key(id)) == 1 then return { 'known' } end
  if redis.call('EXISTS', inbox_key(id)) == 1 then
    redis.call('PERSIST', inbox_key(id))
    fields.inbox = '1'
  end
  redis.call('SADD', P .. 'owner:' .. fields.owner, id)
  redis.call('HSET', job_key(id), 'version', int(a.version))
  local version = step(id, false, a.target, a.move, fields, {})
  dispatch(id, version)
  return { 'adopted' }
end

-- Take the lease and start the stage that comes next; `version` is the one that was dispatched.
function commands.claim()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'version', 'claim', 'lapses', 'inbox')
  local state, version, claim = record[1], tonumber(record[2] or 0), record[3]
  if not state then return { 'gone' } end
  if claim == a.claim then return { 'claimed', redis.call('HGETALL', job_key(id)) } end
  local target = a.targets[state]
  if version ~= a.version or not target then return { 'stale' } end
  if state == 'uploaded' and record[5] ~= '1' then
    local place = redis.call('ZRANK', HELD, id) or redis.call('ZCARD', HELD)
    if in_flight() + place >= a.in_flight_limit then
      redis.call('ZADD', HELD, 'NX', redis.call('INCR', P .. 'seq'), id) -- a number: many come in one millisecond
      redis.call('ZADD', DUE, now + a.in_flight_ms, id)
      return { 'held' }
    end
  end
  local fields = { claim = a.claim, lapses = '0' }
  if claim ~= '' then fields.lapses = int(tonumber(record[4]) + 1) end
  if state == 'waiting' then fields.asked_ms = '0' end
  redis.call('ZREM', HELD, id)
  step(id, state, target, 'claim', fields, {})
  redis.call('ZADD', DUE, now + a.lease_ms, id)
  if a.audio_key then redis.call('PEXPIRE', a.audio_key, a.audio_ms) end
  return { 'claimed', redis.call('HGETALL', job_key(id)) }
end

function commands.hand_over()
  if tonumber(redis.call('HGET', job_key(a.id), 'version') or 0) ~= a.version then return { 'stale' } end
  dispatch(a.id, a.version)
  return { 'handed' }
end

function commands.renew()
  if redis.call('HGET', job_key(a.id), 'claim') ~= a.claim then return { 'fenced' } end
  redis.call('ZADD', DUE, 'XX', now + a.lease_ms, a.id)
  return { 'renewed' }
end

-- A move by whoever holds the claim. `due` says what the clock is set to: dispatch at once, or so many ms.
function commands.move()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'op')
  if record[3] == a.op then return { 'moved', redis.call('HGETALL', job_key(id)) } end
  if not record[1] or record[2] ~= a.claim then return { 'fenced' } end
  local source = record[1]
  local target = a.targets[source]
  if not target then return { 'illegal', source } end
  local fields = a.fields
  fields.op = a.op
  if not a.keep_claim then fields.claim = '' end
  for _, name in ipairs(a.stamps) do fields[name] = int(now) end
  if a.unstage then unstage(id) end
  local version = step(id, source, target, a.move, fields, a.event)
  if a.due_ms == cjson.null or a.due_ms == nil then
    dispatch(id, version)
  else
    redis.call('ZADD', DUE, now + a.due_ms, id)
  end
  return { 'moved', redis.call('HGETALL', job_key(id)) }
end

-- The last move of a run: Postgres has the outcome. The record stays for a while, for those who still watch.
function commands.conclude()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'owner', 'dedupe')
  local source = record[1]
  if not source or record[2] ~= a.claim then return { 'fenced' } end
  if source ~= 'persisting' then return { 'illegal', source } end
  step(id, source, a.target, 'conclude', { claim = '', outcome = '' }, a.event)
  redis.call('ZREM', DUE, id)
  forget_hand_over(id)
  redis.call('SREM', P .. 'owner:' .. record[3], id)
  if a.release_dedupe and redis.call('GET', P .. 'dedupe:' .. record[4]) == id then
    redis.call('DEL', P .. 'dedupe:' .. record[4])
  end
  if not a.keep_audio then unstage(id) end
  for _, key in ipairs({ job_key(id), events_key(id), inbox_key(id) }) do
    redis.call('PEXPIRE', key, a.record_ms)
  end
  redis.call('PEXPIRE', state_key(a.target), a.record_ms)
  redis.call('ZREMRANGEBYSCORE', state_key(a.target), '-inf', now - a.record_ms)
  return { 'moved', redis.call('HGETALL', job_key(id)) }
end

-- A result from outside. Whoever is submitting loses the claim: the answer to its question is here.
function commands.deliver()
  local id, body = a.id, ARGV[3]
  local record = redis.call('HMGET', job_key(id), 'state', 'inbox', 'run', 'owner', 'outcome', 'claim')
  local source = record[1]
  if not source then return { 'unknown' } end
  local early = a.keeps[source]
  local target = early or a.targets[source]
  -- Parked, or about to be: the row may say so already, so the job goes on as a new run.
  local revived = source == 'parked' or (source == 'persisting' and record[5] == 'parked')
  if source == 'persisting' and not revived then target = nil end
  if not target or (record[2] == '1' and not revived) then return { 'duplicate', source } end
  redis.call('SET', inbox_key(id), body)
  local fields = { inbox = '1' }
  if early then
    local version = step(id, source, target, 'keep', fields, {})
    if record[6] == '' then dispatch(id, version) end
    return { 'kept' }
  end
  if revived then
    fields.run = int(tonumber(record[3]) + 1)
    fields.outcome = ''
    redis.call('PERSIST', job_key(id))
    redis.call('PERSIST', events_key(id))
    redis.call('SADD', P .. 'owner:' .. record[4], id)
  end
  fields.claim, fields.tries, fields.holds, fields.code, fields.message = '', '0', '0', '', ''
  redis.call('ZREM', HELD, id)
  local version = step(id, source, target, 'deliver', fields, {})
  dispatch(id, version)
  return { 'delivered' }
end

-- Hand everything that is due to arq. Safe to run from every worker at once: what was handed over is not due.
-- What still waits in arq's queue is not handed over again.
function commands.sweep()
  local handed = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, a.limit)) do
    local record = redis.call('HMGET', job_key(id), 'version', 'handed')
    local version, last = record[1], record[2] or ''
    if not version then
      redis.call('ZREM', DUE, id)
    elseif last:find(id .. ':' .. version .. ':', 1, true) == 1 and redis.call('ZSCORE', QUEUE, last)
        and redis.call('EXISTS', 'arq:in-progress:' .. last) == 0 then
      redis.call('ZADD', DUE, now + a.dispatch_ms, id)
      redis.call('PUBLISH', P .. 'wake', '1')
    else
      dispatch(id, tonumber(version))
      handed = handed + 1
    end
  end
  return { 'swept', handed }
end

function commands.prune()
  local sum, sizes = 0, redis.call('HGETALL', STAGED)
  for i = 1, #sizes, 2 do
    if redis.call('EXISTS', job_key(sizes[i])) == 1 then
      sum = sum + tonumber(sizes[i + 1])
    else
      redis.call('HDEL', STAGED, sizes[i])
    end
  end
  redis.call('SET', STAGED_BYTES, int(sum))
  return { 'pruned' }
end

return commands[ARGV[1]]()
