-- The clock and the books.

-- Hand everything that is due to arq. Safe to run from every worker at once: what was handed over is not due.
-- What still waits in arq's queue is not handed over again. Then look at each line: its stage may be open again.
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
  for _, stage in ipairs(NAMES) do nudge(stage) end
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

-- How things stand: by state [state, jobs, since when the oldest is there], by stage [stage, who paused it, why,
-- since when, shut until, code, suspects, in line], and [now, queued, due, leases held, staged bytes].
function commands.stats()
  local states, stages, running = {}, {}, 0
  for _, state in ipairs(a.states) do
    local oldest = redis.call('ZRANGE', state_key(state), 0, 0, 'WITHSCORES')
    states[#states + 1] = { state, redis.call('ZCARD', state_key(state)), oldest[2] or '0' }
  end
  for _, stage in ipairs(NAMES) do
    local paused = redis.call('HMGET', paused_key(stage), 'who', 'why', 'since_ms')
    local breaker = redis.call('HMGET', breaker_key(stage), 'until_ms', 'code')
    stages[#stages + 1] = { stage, paused[1] or '', paused[2] or '', paused[3] or '0', breaker[1] or '0',
      breaker[2] or '', redis.call('SCARD', suspects_key(stage)), redis.call('ZCARD', line_key(stage)) }
  end
  for _, state in ipairs({ 'uploading', 'submitting', 'ordering', 'mixing', 'persisting', 'cleaning' }) do
    for _, id in ipairs(redis.call('ZRANGE', state_key(state), 0, 999)) do
      if redis.call('HGET', job_key(id), 'claim') ~= '' then running = running + 1 end
    end
  end
  return { states, stages, { int(now), redis.call('ZCARD', QUEUE), redis.call('ZCARD', DUE), running,
    redis.call('GET', STAGED_BYTES) or '0' } }
end

return commands[ARGV[1]]()
