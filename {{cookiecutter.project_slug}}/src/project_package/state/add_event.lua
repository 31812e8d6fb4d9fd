-- Store an event and claim it, in one step: see RedisStore.add.
local event, claim, answer, sequence = unpack(KEYS)  -- then come the sets of its entities
local columns, timestamp, key, retention, replica, claim_time = unpack(ARGV)
local is_stored = redis.call('EXISTS', event) == 1
if claim_time ~= '0' then
  if is_stored and redis.call('EXISTS', answer) == 1 then return 0 end
  local claimed = redis.call('SET', claim, replica, 'NX', 'PX', claim_time)
  if not claimed and redis.call('GET', claim) ~= replica then return 0 end
end
if is_stored then return claim_time ~= '0' and 1 or 0 end
redis.call('DEL', answer)  -- that of an expired event
local value = '[' .. redis.call('INCR', sequence) .. ',' .. columns .. ']'
redis.call('SET', event, value, 'PX', retention)
for i = 5, #KEYS do
  for _, old in ipairs(redis.call('ZRANGE', KEYS[i], 0, 1)) do  -- remove what has expired
    if redis.call('EXISTS', 'event:' .. old) == 0 then redis.call('ZREM', KEYS[i], old) end
  end
  redis.call('ZADD', KEYS[i], timestamp, key)
  redis.call('PEXPIRE', KEYS[i], retention)
end
return 1
