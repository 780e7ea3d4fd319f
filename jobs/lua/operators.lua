-- What operators and learners do to a job from outside. Each is safe to send twice, also after workers moved the job
-- on: the record remembers the last one's `op` under a name of its own.

local function done_before(id)
  return redis.call('HGET', job_key(id), 'operation') == a.op
end

local function moved(id) return { 'moved', redis.call('HGETALL', job_key(id)) } end

-- An ended job goes on from the state the operator chose; without a record it is made anew from its row.
function commands.restart()
  local id = a.id
  if done_before(id) then return moved(id) end
  local record = redis.call('HMGET', job_key(id), 'state', 'run', 'owner')
  local source, owner = record[1], record[3] or a.fields.owner
  if source and not a.sources[source] then return { 'refused', source } end
  local again = a.target == 'received'
  if again and redis.call('EXISTS', inbox_key(id)) == 0 then return { 'no_result' } end
  if not source then
    redis.call('DEL', events_key(id)) -- numbered by the record that is gone
    a.fields.version = int(a.version)
    for name, value in pairs(a.fields) do redis.call('HSET', job_key(id), name, value) end
  end
  local fields = afresh({ operation = a.op, progress = '0', inbox = '' }, math.max(tonumber(record[2] or 0), a.run) + 1)
  if again then fields.inbox = '1' else redis.call('DEL', inbox_key(id)) end
  revive(id, owner)
  local version = step(id, source, a.target, 'restart', fields, a.event)
  dispatch(id, version)
  return moved(id)
end

function commands.cancel()
  local id = a.id
  if done_before(id) then return moved(id) end
  local record = redis.call('HMGET', job_key(id), 'state', 'run', 'owner')
  local source = record[1]
  local target = source and a.targets[source]
  if not target then return { 'refused', source or '' } end
  local fields = { operation = a.op, claim = '', outcome = 'cancelled', code = a.event.code, message = a.message,
    stage = STAGES[source] or redis.call('HGET', job_key(id), 'stage') or '', tries = '0', holds = '0' }
  if source == 'parked' then
    fields.run = int(tonumber(record[2]) + 1)
    revive(id, record[3])
  end
  local version = step(id, source, target, 'cancel', fields, a.event)
  dispatch(id, version)
  return moved(id)
end

function commands.accept_late()
  local id = a.id
  if done_before(id) then return moved(id) end
  local record = redis.call('HMGET', job_key(id), 'state', 'run', 'owner')
  local source = record[1]
  local target = source and a.targets[source]
  if not target then return { 'refused', source or '' } end
  if redis.call('EXISTS', late_key(id)) == 0 then return { 'no_result' } end
  redis.call('RENAME', late_key(id), inbox_key(id))
  local fields = afresh({ operation = a.op, progress = '0', inbox = '1', late = '' }, tonumber(record[2]) + 1)
  revive(id, record[3])
  local version = step(id, source, target, 'accept_late', fields, a.event)
  dispatch(id, version)
  return moved(id)
end

-- The recording is deleted: what is left to do is in S3. A worker that may be writing there now is waited for.
function commands.erase()
  local id = a.id
  local record = redis.call('HMGET', job_key(id), 'state', 'claim', 'owner', 'dedupe')
  local source = record[1]
  if source == 'cleaning' then return { 'moved' } end
  if source and a.sources and not a.sources[source] then return { 'refused', source } end
  if not source then
    redis.call('DEL', events_key(id)) -- numbered by the record that is gone
    redis.call('HSET', job_key(id), 'version', int(a.version))
    for name, value in pairs(a.fields) do redis.call('HSET', job_key(id), name, value) end
  end
  unstage(id)
  redis.call('DEL', inbox_key(id), late_key(id))
  local dedupe = P .. 'dedupe:' .. (record[4] or '')
  if redis.call('GET', dedupe) == id then redis.call('DEL', dedupe) end
  leave(record[3] or a.fields.owner, id)
  redis.call('PERSIST', job_key(id))
  redis.call('PERSIST', events_key(id))
  local fields = { claim = '', outcome = '', inbox = '', late = '', code = a.event.code, message = a.message,
    tries = '0', holds = '0', lapses = '0' }
  local version = step(id, source, 'cleaning', 'erase', fields, a.event)
  if WRITING[source] and record[2] ~= '' then
    forget_hand_over(id)
    redis.call('ZADD', DUE, now + a.grace_ms, id)
  else
    dispatch(id, version)
  end
  return { 'moved' }
end

-- Its audio is gone: so goes the record, at once or, for those who still watch, after a while.
function commands.forget()
  local id = a.id
  if redis.call('EXISTS', job_key(id)) == 0 then return { 'gone' } end
  if redis.call('HGET', job_key(id), 'claim') ~= a.claim then return { 'fenced' } end
  works('clean')
  leave_line(id, 'cleaning')
  forget_hand_over(id)
  redis.call('ZREM', DUE, id)
  redis.call('ZREM', state_key('cleaning'), id)
  if a.record_ms then
    redis.call('HSET', job_key(id), 'claim', '')
    redis.call('PEXPIRE', job_key(id), a.record_ms)
    redis.call('PEXPIRE', events_key(id), a.record_ms)
  else
    redis.call('DEL', job_key(id), events_key(id))
  end
  tell(id, true)
  return { 'gone' }
end
