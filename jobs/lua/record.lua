-- The life of a record: accepted, claimed, moved, delivered to, concluded.

-- One step of the version: fields, state, index, event, hint to whoever watches. Whatever line the job stood in
-- it has left: also a worker believed dead may come back and go on, as long as nobody else took its job.
local function step(id, source, target, move, fields, event)
  local version = redis.call('HINCRBY', job_key(id), 'version', 1)
  local known = redis.call('HMGET', job_key(id), 'progress', 'kind')
  local progress = tonumber(fields.progress or known[1] or 0)
  local special = PROGRESS_OF[fields.kind or known[2]]
  local reached = special and special[target] or PROGRESS[target]
  fields.state = target
  fields.updated_ms = int(now)
  if reached > progress then fields.progress = int(reached) end
  local flat = {}
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', job_key(id), unpack(flat))
  index(id, source, target)
  leave_line(id, source)
  if fields.claim or STAGES[source] ~= STAGES[target] then untried(STAGES[source], id) end
  log(id, version, move, source, target, event)
  tell(id, fields.message or FACES[source] ~= FACES[target])
  if IN_FLIGHT[source] and IN_FLIGHT[source] ~= IN_FLIGHT[target] then nudge(IN_FLIGHT[source]) end
  return version
end

-- What a new run starts with; nothing of an earlier one counts any more.
local function afresh(fields, run)
  fields.run = int(run)
  fields.began_ms = int(now)
  for _, name in ipairs({ 'tries', 'holds', 'lapses', 'asks', 'asked_ms' }) do fields[name] = '0' end
  for _, name in ipairs({ 'claim', 'outcome', 'code', 'message', 'stage' }) do fields[name] = '' end
  return fields
end

-- An ended job goes on: it counts again for its owner and stays until it ends again.
local function revive(id, owner)
  for _, key in ipairs({ job_key(id), events_key(id), inbox_key(id) }) do redis.call('PERSIST', key) end
  redis.call('SADD', owner_key(owner), id)
  redis.call('HSET', job_key(id), 'place', take_place(owner))
end

-- A job is over: off the clock and the books; the record stays for a while, for those who still watch.
local function close(id, owner, dedupe, target)
  redis.call('ZREM', DUE, id)
  forget_hand_over(id)
  leave(owner, id)
  if a.release_dedupe and redis.call('GET', P .. 'dedupe:' .. dedupe) == id then
    redis.call('DEL', P .. 'dedupe:' .. dedupe)
  end
  if not a.keep_audio then unstage(id) end
  for _, key in ipairs({ job_key(id), events_key(id), inbox_key(id), late_key(id) }) do
    redis.call('PEXPIRE', key, a.record_ms)
  end
  redis.call('PEXPIRE', state_key(target), a.record_ms)
  redis.call('ZREMRANGEBYSCORE', state_key(target), '-inf', now - a.record_ms)
end

-- The job that an upload already is, unless it has come to nothing.
local function known_as(dedupe)
  local known = redis.call('GET', P .. 'dedupe:' .. dedupe)
  local state = known and redis.call('HGET', job_key(known), 'state')
  return state and not a.dead[state] and known or nil
end

-- A job comes to be.
local function enter(id, fields)
  redis.call('SET', P .. 'dedupe:' .. fields.dedupe, id, 'PX', a.dedupe_ms)
  redis.call('SADD', owner_key(fields.owner), id)
  if a.staged and redis.call('HSET', STAGED, id, fields.size) == 1 then
    redis.call('INCRBY', STAGED_BYTES, fields.size)
  end
  fields.created_ms = int(now)
  fields.began_ms = int(now)
  fields.place = take_place(fields.owner)
  dispatch(id, step(id, false, a.target, 'accept', fields, {}))
end

-- The blob, where there is one, is staged already (with a TTL); what follows makes it a job. Nothing is written
-- when refused.
function commands.accept()
  local id, fields = a.id, a.fields
  if redis.call('EXISTS', job_key(id)) == 1 then -- sent twice, and its audio staged twice
    if a.audio_key and redis.call('HEXISTS', STAGED, id) == 1 then redis.call('PEXPIRE', a.audio_key, a.audio_ms) end
    return { 'known', id }
  end
  local known = known_as(fields.dedupe)
  if known then return { 'known', known } end
  if redis.call('SCARD', owner_key(fields.owner)) >= a.owner_limit then return { 'too_many' } end
  local staged = tonumber(redis.call('GET', STAGED_BYTES) or 0)
  if staged + tonumber(fields.size) > a.staged_limit then return { 'full' } end
  if a.audio_key and redis.call('PEXPIRE', a.audio_key, a.audio_ms) == 0 then return { 'unstaged' } end

  enter(id, fields)
  return { 'accepted', id, redis.call('HGETALL', job_key(id)) }
end

-- Many at once, all or none: who each of them is, in order. Those that are known already need no room.
function commands.accept_all()
  local found, named, new, bytes = {}, {}, {}, 0
  for i, one in ipairs(a.jobs) do
    local fields = one.fields
    local id = redis.call('EXISTS', job_key(one.id)) == 1 and one.id or named[fields.dedupe] or known_as(fields.dedupe)
    if not id then
      id = one.id
      named[fields.dedupe] = id
      new[#new + 1] = one
      bytes = bytes + tonumber(fields.size)
    end
    found[i] = id
  end
  if #new > 0 and redis.call('SCARD', owner_key(new[1].fields.owner)) + #new > a.owner_limit then
    return { 'too_many' }
  end
  if tonumber(redis.call('GET', STAGED_BYTES) or 0) + bytes > a.staged_limit then return { 'full' } end
  for _, one in ipairs(new) do
    if one.audio_key and redis.call('PEXPIRE', one.audio_key, a.audio_ms) == 0 then return { 'unstaged' } end
  end
  for _, one in ipairs(new) do enter(one.id, one.fields) end
  return { 'accepted', found }
end

-- A record for a row that has lost its own: its audio is in S3, the next stage is the analysis.
function commands.adopt()
  local id, fields = a.id, a.fields
  if redis.call('EXISTS', job_key(id)) == 1 then return { 'known' } end
  if redis.call('EXISTS', inbox_key(id)) == 1 then
    redis.call('PERSIST', inbox_key(id))
    fields.inbox = '1'
  end
  redis.call('DEL', events_key(id)) -- numbered by the record that is gone
  redis.call('SADD', owner_key(fields.owner), id)
  redis.call('HSET', job_key(id), 'version', int(a.version))
  fields.began_ms = int(now)
  fields.place = take_place(fields.owner)
  local version = step(id, false, a.target, a.move, fields, {})
  dispatch(id, version)
  return { 'adopted' }
end

-- Take the lease and start the stage that comes next, unless the job has to stand in line for it.
local function take(id, claim_id, record)
  local state, claim, place = record[1], record[2], tonumber(record[5] or 0)
  local target, stage = a.claims[state], STAGES[state]
  local go, trial = admitted(id, state, stage, place, record[4] == '1')
  if not go then return false end
  -- Served are those who get to the analysis server: it is there that the many wait. One at a time: recordings are
  -- stored in any order, and one from far behind would have newcomers stand behind all that belong before it.
  if stage == 'submit' and place > tonumber(redis.call('GET', P .. 'served') or 0) then
    redis.call('INCR', P .. 'served')
  end
  local fields = { claim = claim_id, lapses = '0' }
  if claim ~= '' then fields.lapses = int(tonumber(record[3]) + 1) end
  if ASKED[state] then fields.asked_ms = '0' end
  step(id, state, target, 'claim', fields, {})
  if trial then redis.call('HSET', breaker_key(stage), 'trial', id, 'trial_ms', int(now + a.trial_ms)) end
  redis.call('ZADD', DUE, now + a.lease_ms, id)
  if a.audio_key then redis.call('PEXPIRE', a.audio_key, a.audio_ms) end
  return true
end

-- `version` is the one that was dispatched; whoever comes with another comes too late.
function commands.claim()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'lapses', 'inbox', 'place', 'version')
  if not record[1] then return { 'gone' } end
  if record[2] == a.claim then return { 'claimed', redis.call('HGETALL', job_key(id)) } end
  if tonumber(record[6]) ~= a.version or not a.claims[record[1]] then return { 'stale' } end
  if not take(id, a.claim, record) then return { 'held' } end
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

-- A move by whoever holds the claim. What follows: the next stage under a new claim, the time the clock is set to,
-- or a hand-over.
function commands.move()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'op')
  if record[3] == a.op then
    -- Made before; since then somebody else may have come.
    local ours = a.keep_claim and a.claim or a.next_claim
    if record[2] ~= ours and (a.keep_claim or record[2] ~= '') then return { 'fenced' } end
    return { 'moved', redis.call('HGETALL', job_key(id)) }
  end
  if not record[1] or record[2] ~= a.claim then return { 'fenced' } end
  local source = record[1]
  local target = a.targets[source]
  if not target then return { 'illegal', source } end
  local fields = a.fields
  fields.op = a.op
  if not a.keep_claim then fields.claim = '' end
  for _, name in ipairs(a.stamps) do fields[name] = int(now) end
  if a.unstage then unstage(id) end
  if a.works then works(STAGES[source]) end
  local version = step(id, source, target, a.move, fields, a.event)
  if a.next_claim then
    take(id, a.next_claim, redis.call('HMGET', job_key(id), 'state', 'claim', 'lapses', 'inbox', 'place'))
  elseif a.due_ms == nil then
    dispatch(id, version)
  else
    redis.call('ZADD', DUE, now + a.due_ms, id)
  end
  return { 'moved', redis.call('HGETALL', job_key(id)) }
end

-- An attempt failed in a way that may be the dependency's fault: while the stage is shut nothing is counted and
-- the job stands in line. Else it is held, or retried at its own cost as long as its budget lasts.
function commands.stumble()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'op', 'holds', 'tries')
  if record[3] == a.op then return { redis.call('HGET', job_key(id), 'stumbled') } end
  if not record[1] or record[2] ~= a.claim then return { 'fenced' } end
  local source = record[1]
  local target, stage = a.targets[source], STAGES[source]
  if not target then return { 'illegal', source } end
  local shut = strike(stage, id, a.event.code, a.pause_ms)
  local fields, move = { op = a.op, claim = '', code = a.event.code }, 'hold'
  if shut or not a.counted then
    fields.holds = int(tonumber(record[4]) + 1)
  elseif a.spent then
    return { 'spent' }
  else
    move = 'retry'
    fields.tries = int(tonumber(record[5]) + 1)
  end
  fields.stumbled = move
  step(id, source, target, move, fields, a.event)
  if shut then stand_last(id, stage) else redis.call('ZADD', DUE, now + a.due_ms, id) end
  return { move }
end

-- The last move of a run: Postgres has the outcome.
function commands.conclude()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'owner', 'dedupe', 'op')
  local source = record[1]
  if record[5] == a.claim then return { 'moved', redis.call('HGETALL', job_key(id)) } end
  if not source or record[2] ~= a.claim then return { 'fenced' } end
  if source ~= 'persisting' then return { 'illegal', source } end
  step(id, source, a.target, 'conclude', { op = a.claim, claim = '', outcome = '' }, a.event)
  works('persist')
  close(id, record[3], record[4], a.target)
  return { 'moved', redis.call('HGETALL', job_key(id)) }
end

-- Postgres has known the end of this run all along: the record is older than its row, as after a restore.
function commands.heal()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'run', 'owner', 'dedupe')
  local source = record[1]
  if not source or not a.sources[source] or tonumber(record[2]) > a.run then return { 'current' } end
  step(id, source, a.target, 'heal', { claim = '', outcome = '', run = int(a.run) }, a.event)
  close(id, record[3], record[4], a.target)
  return { 'healed' }
end

-- A result from outside. Whoever is submitting loses the claim: the answer to its question is here.
function commands.deliver()
  local id, body = a.id, ARGV[3]
  local record = redis.call('HMGET', job_key(id), 'state', 'inbox', 'run', 'owner', 'outcome', 'claim')
  local source = record[1]
  if not source then return { 'unknown' } end
  if not PROGRESS[source] then return { 'unreadable' } end -- a later version of ours knows what to do
  local early = a.keeps[source]
  local target = early or a.targets[source]
  -- Parked, or about to be: the row may say so already, so the job goes on as a new run.
  local revived = source == 'parked' or (source == 'persisting' and record[5] == 'parked')
  if source == 'persisting' and not revived then target = nil end
  if not target or (record[2] == '1' and not revived) then
    if redis.call('GET', inbox_key(id)) == body or redis.call('GET', late_key(id)) == body then
      return { 'duplicate', source }
    end
    local ended = a.late[source]
    if not ended and (source ~= 'persisting' or record[5] == '' or not record[5]) then return { 'duplicate', source } end
    local left = redis.call('PTTL', job_key(id))
    redis.call('SET', late_key(id), body, 'PX', left > 0 and left or 86400000)
    redis.call('HSET', job_key(id), 'late', '1')
    if ended then step(id, source, ended, 'late', {}, {}) end
    return { 'late', source }
  end
  redis.call('SET', inbox_key(id), body)
  if early then
    local version = step(id, source, target, 'keep', { inbox = '1' }, {})
    if record[6] == '' or not redis.call('ZSCORE', DUE, id) then dispatch(id, version) end
    return { 'kept' }
  end
  local fields = { inbox = '1', claim = '', tries = '0', holds = '0', code = '', message = '', stage = '' }
  if revived then
    fields.run = int(tonumber(record[3]) + 1)
    fields.began_ms = int(now)
    fields.outcome = ''
    revive(id, record[4])
  end
  if ASKING[source] then works(STAGES[source]) end
  local version = step(id, source, target, 'deliver', fields, {})
  dispatch(id, version)
  return { 'delivered' }
end
