"""The scripts by which a dashboard handles durable commands: accept one, end what is overdue."""

from typing import Final

from mqtt_dashboard.bus.order_steps import CONCLUDE, ENDING, FORGET, WITHDRAWN

# KEYS 1 key, 2-6 shared, 7 recent, 8 keyed, 9 senders, 10 bytes of records, 11 version of rights
# ARGV 1 id, 2-4 shared, 5 order, 6 summary, 7 fingerprint, 8 deadline (ms from now), 9 ms to keep
#      the record after that, 10 bytes, 11 digest of the key or '', 12 sender or '', 13 version of
#      rights it was judged by or '', 14 grace (ms), most 15 entries, 16 bytes, 17 records,
#      18 records with a key of one sender, 19 bytes of records; 20 bytes of this record
# A full set of records without a key gives up its oldest; one with keys must not: it would
# forget what must not be done twice.
ACCEPT: Final = (
    ENDING
    + """
local recent, keyed, senders, weight = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
"""
    + FORGET
    + """
local id, digest, sender = ARGV[1], ARGV[11], ARGV[12]
local rights = redis.call('GET', KEYS[11]) or '0'
if ARGV[13] ~= '' and rights ~= ARGV[13] then return {'rights', ''} end
if digest ~= '' then
  local known = redis.call('GET', KEYS[1])
  local there = known and fields_of(known, 'h')[1]
  if there then
    if there ~= ARGV[7] then return {'differs', known} end
    return {'known', known}
  end
end
local size, cost = tonumber(ARGV[10]), tonumber(ARGV[20])
if redis.call('XLEN', queue) >= tonumber(ARGV[15]) then
  return {'full', ARGV[15] .. ' commands'}
end
local waiting = tonumber(redis.call('GET', bytes) or '0')
if waiting > 0 and waiting + size > tonumber(ARGV[16]) then
  return {'full', waiting .. ' bytes of commands'}
end
forget_old(100)
local set = digest ~= '' and keyed or recent
if digest ~= '' and sender ~= '' then
  if tonumber(redis.call('HGET', senders, sender) or '0') >= tonumber(ARGV[18]) then
    return {'full', ARGV[18] .. ' records of your commands with a key'}
  end
end
for _ = 1, 100 do
  local used = tonumber(redis.call('GET', weight) or '0')
  local crowded = redis.call('ZCARD', set) >= tonumber(ARGV[17])
  if not crowded and (used == 0 or used + cost <= tonumber(ARGV[19])) then break end
  local from = crowded and set or recent
  local oldest = redis.call('ZRANGE', from, 0, 0)[1]
  local state = oldest and fields_of(oldest, 's')[1]
  if not oldest or state == 'accepted' or (state and from == keyed) then
    return {'full', crowded and ARGV[17] .. ' records of commands'
      or used .. ' bytes of records of commands'}
  end
  forget(oldest)
end
local entry = redis.call('XADD', queue, '*', 'i', id, 'b', ARGV[5], 'n', size)
local deadline = now + tonumber(ARGV[8])
local till = deadline + tonumber(ARGV[9])
redis.call('HSET', records .. id, 'd', ARGV[6], 's', 'accepted', 'p', '', 't', deadline,
  'b', now, 'n', size, 'h', ARGV[7], 'e', entry, 'x', digest ~= '' and 1 or 0, 'y', digest,
  'w', sender, 'l', ARGV[9], 'z', till, 'm', cost)
redis.call('ZADD', set, now, id)
redis.call('ZADD', open, deadline + tonumber(ARGV[14]), id)
redis.call('ZADD', kept, till, id)
redis.call('INCRBY', weight, cost)
if digest ~= '' then
  redis.call('SET', KEYS[1], id)
  redis.call('HINCRBY', senders, sender, 1)
end
redis.call('INCRBY', bytes, size)
return {'new', id}
"""
)

# KEYS 1 recent, 2-6 shared, 7 keyed, 8 senders, 9 bytes of records, 10 withdrawn, 11 withdrawing,
#      12 burnt
# ARGV 1 the only command to look at or '', 2-4 shared, 5 most commands, 6-8 ms past its deadline
#      after which a command ends that nobody took, that was sent, that the broker has; the words
#      9 not taken, 10 sent, 11 broken, 12 withdrawn
# Returns how many ended, and 1 when there is more to do.
SWEEP: Final = (
    ENDING
    + CONCLUDE
    + WITHDRAWN
    + """
local recent, keyed, senders, weight = KEYS[1], KEYS[7], KEYS[8], KEYS[9]
"""
    + FORGET
    + """
local most, ended, more = tonumber(ARGV[5]), 0, 0
local function count(is_new) if is_new then ended = ended + 1 end end

-- A bridge that took a command tells what became of it; only when it is long overdue nobody will.
local function look(id)
  local r = fields_of(id, 's', 'p', 't', 'e', 'd', 'i')
  local due = whole(r[3])
  if r[1] ~= 'accepted' then
    redis.call('ZREM', open, id)
    if r[4] then let_go(r[4]) end
  elseif not due then
    count(conclude(id, r[4], r[5], r[2] == '' and 'failed' or 'indeterminate', ARGV[11]))
  else
    local patience = r[2] == '' and ARGV[6] or r[2] == 'received' and ARGV[8] or ARGV[7]
    local at = due + tonumber(patience)
    if now < at then redis.call('ZADD', open, at, id)
    elseif r[2] == '' then count(conclude(id, r[4], r[5], 'expired', ARGV[9]))
    else
      -- The broker may still wait for the rest of this exchange: the packet id must rest.
      if r[6] and r[6] ~= '' then redis.call('SADD', KEYS[12], r[6]) end
      count(conclude(id, r[4], r[5], 'indeterminate', ARGV[10]))
    end
  end
end

if ARGV[1] ~= '' then
  look(ARGV[1])
  return {ended, 0}
end
local overdue = redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(overdue) do look(id) end
if #overdue == most then more = 1 end

local sender = redis.call('SRANDMEMBER', KEYS[11])
if sender then
  for _, id in ipairs(redis.call('ZRANGE', open, 0, -1)) do
    local r = fields_of(id, 's', 'p', 'w', 'b', 'd', 'e')
    local queued = r[1] == 'accepted' and r[2] == '' and r[3] == sender
    if queued and is_withdrawn(KEYS[10], sender, r[4]) then
      if ended >= most then more = 1 break end
      count(conclude(id, r[6], r[5], 'failed', ARGV[12]))
    end
  end
  if more == 0 then redis.call('SREM', KEYS[11], sender) end
end

-- Entries that no open command stands for: of another release, or their record is lost.
if redis.call('XLEN', queue) > redis.call('ZCARD', open) then
  for _, entry in ipairs(redis.call('XRANGE', queue, '-', '+', 'COUNT', 10)) do
    local id
    for i = 1, #entry[2], 2 do if entry[2][i] == 'i' then id = entry[2][i + 1] end end
    local r = fields_of(id or '', 's', 'e')
    if r[1] == 'accepted' and r[2] == entry[1] then redis.call('ZADD', open, 'NX', now, id)
    else let_go(entry[1]) end
  end
elseif redis.call('XLEN', queue) == 0 and redis.call('GET', bytes) ~= '0' then
  redis.call('SET', bytes, 0)
end
forget_old(100)
return {ended, more}
"""
)
