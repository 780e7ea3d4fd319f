-- A rate limit by the generic cell rate algorithm (ITU-T I.371): one number a caller, the time at which
-- all that it has asked for would have been due, had it asked evenly. It may run ahead by a burst.
--
-- KEYS[1]  the caller's number, in microseconds
-- ARGV[1]  requests that may come at once
-- ARGV[2]  microseconds between requests that come evenly
-- Returns  1 or 0 for let in or not; how many more would be; µs until one would be; µs until all would be.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local burst, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local room = burst * interval

local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
if due > now + room then due = now + room end  -- the clock was set back, or the limit made smaller

local after = due + interval
local allowed = after <= now + room
if allowed then
  due = after
  redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', string.format('%.0f', math.ceil((due - now) / 1000)))
end
local wait = math.max(0, due + interval - now - room)
return { allowed and 1 or 0, math.floor((now + room - due) / interval), wait, due - now }
