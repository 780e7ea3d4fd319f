-- Every change of a job's record, each command one atomic step; the files of this folder are one script.
--
-- KEYS[1]  the prefix of all our keys (one primary, no cluster: keys are derived from it here)
-- ARGV[1]  command    ARGV[2]  its arguments as JSON    ARGV[3]  raw bytes, where a command stores some
--
-- Time is the server's own (TIME), in milliseconds. Each command may safely be sent twice, as happens when a
-- reply is lost: claims and moves carry a random id that is remembered in the record.

local P = KEYS[1]
local a = cjson.decode(ARGV[2])
local commands = {}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local DUE, QUEUE = P .. 'due', P .. 'queue'
local STAGED, STAGED_BYTES = P .. 'staged', P .. 'staged_bytes'
local IN_FLIGHT = { submitting = 'submit', waiting = 'submit', mixing = 'mix' } -- who takes room before which stage
local ASKING = { submitting = true, ordering = true } -- a server is being asked, or its answer is being looked at
local ASKED = { waiting = true, preparing = true }
local WRITING = { uploading = true, mixing = true } -- whoever holds the claim may be writing to S3
local function job_key(id) return P .. 'job:' .. id end
local function events_key(id) return P .. 'events:' .. id end
local function inbox_key(id) return P .. 'inbox:' .. id end
local function late_key(id) return P .. 'late:' .. id end
local function state_key(state) return P .. 'state:' .. state end
local function owner_key(owner) return P .. 'owner:' .. owner end
local function int(number) return string.format('%d', number) end

-- A hand-over whose worker died would lie locked at the head of arq's queue; the newest is the only one wanted.
local function forget_hand_over(id)
  local last = redis.call('HGET', job_key(id), 'handed')
  if last then redis.call('ZREM', QUEUE, last) end
end

-- Hand a job to arq under an id of its own: the two keys that arq's enqueue would write. The score is the job's
-- place in line, a small number and so always due, whatever the hosts' clocks say.
local function dispatch(id, version)
  forget_hand_over(id)
  local arq_id = id .. ':' .. int(version) .. ':' .. int(redis.call('INCR', P .. 'seq'))
  redis.call('SET', 'arq:job:' .. arq_id, a.payload, 'PX', 86400000)
  redis.call('ZADD', QUEUE, redis.call('HGET', job_key(id), 'place') or 0, arq_id)
  redis.call('HSET', job_key(id), 'handed', arq_id)
  redis.call('ZADD', DUE, now + a.dispatch_ms, id)
  redis.call('PUBLISH', P .. 'wake', '1')
end

local function log(id, version, move, source, target, event)
  redis.call('XADD', events_key(id), 'MAXLEN', '~', '256', int(version) .. '-0',
    'move', move, 'source', source or '', 'target', target, 'at_ms', int(now), 'actor', event.actor or a.actor,
    'attempt', int(event.attempt or 0), 'code', event.code or '', 'cause', event.cause or '')
end

-- Hints: who watches is spared reading what is shown of a job while it runs.
local function tell(id, shows)
  redis.call('PUBLISH', P .. 'moved', id)
  if not shows then return end
  local shown = cjson.encode(redis.call('HMGET', job_key(id), unpack(SHOWN)))
  redis.call('PUBLISH', P .. 'changed', id .. ' ' .. shown)
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
