"""The scripts that move durable commands: each step of a command's life is one of them.

A record is a hash: ``d`` what never changes (`OrderSummary`), ``s`` state, ``p`` phase ('' =
queued), ``c`` epoch of the bridge that took it, ``i`` packet id, ``a`` attempts, ``r`` reason,
``k`` code, ``t`` deadline, ``b`` accepted, ``f`` finished (ms of Redis' own clock, the only one all
parties share), ``n`` size, ``h`` fingerprint, ``e`` stream entry, ``x`` 1 with an Idempotency-Key.
"""

from typing import Final

from mqtt_dashboard.bus.fence import FENCE
from mqtt_dashboard.bus.kept import RESULTS_KEPT

GROUP: Final = "bridge"

_NOW: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
"""

# Record the one result of a command, tell it, and only then let go of its place in the stream.
_FINISH: Final = (
    _NOW
    + """
local function let_go(queue, entry)
  redis.call('XACK', queue, 'bridge', entry)
  redis.call('XDEL', queue, entry)
end
local function finish(record, queue, results, bytes, channel, entry, state, reason, code, document)
  local new = redis.call('HGET', record, 's') == 'accepted'
  if new then
    redis.call('HSET', record, 's', state, 'p', 'done', 'r', reason, 'k', code, 'f', now)
    redis.call('XADD', results, 'MAXLEN', '~', RESULTS_KEPT, '*', 'd', document)
    redis.call('PUBLISH', channel, document)
    redis.call('DECRBY', bytes, redis.call('HGET', record, 'n') or '0')
  end
  let_go(queue, entry)
  return new
end
""".replace("RESULTS_KEPT", str(RESULTS_KEPT))
)

# KEYS queue, record, key, recent, keyed, bytes
# ARGV id, order, summary, fingerprint, deadline (ms from now), ttl (ms), size, keyed (0/1),
#      record prefix, most entries, most bytes, most records
# A full set of records without a key gives up its oldest; one with keys must not: it would
# forget what must not be done twice.
ACCEPT: Final = (
    _NOW
    + """
local keyed = ARGV[8] == '1'
if keyed then
  local known = redis.call('GET', KEYS[3])
  local there = known and redis.call('HGET', ARGV[9] .. known, 'h')
  if there then
    if there ~= ARGV[4] then return {'differs', known} end
    return {'known', known}
  end
end
local size = tonumber(ARGV[7])
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[10]) then
  return {'full', ARGV[10] .. ' commands'}
end
local bytes = tonumber(redis.call('GET', KEYS[6]) or '0')
if bytes > 0 and bytes + size > tonumber(ARGV[11]) then
  return {'full', bytes .. ' bytes of commands'}
end
local set = keyed and KEYS[5] or KEYS[4]
redis.call('ZREMRANGEBYSCORE', set, '-inf', now - tonumber(ARGV[6]))
if redis.call('ZCARD', set) >= tonumber(ARGV[12]) then
  local oldest = redis.call('ZRANGE', set, 0, 0)[1]
  if keyed or redis.call('HGET', ARGV[9] .. oldest, 's') == 'accepted' then
    return {'full', ARGV[12] .. ' records of commands'}
  end
  redis.call('ZREM', set, oldest)
  redis.call('DEL', ARGV[9] .. oldest)
end
local entry = redis.call('XADD', KEYS[1], '*', 'i', ARGV[1], 'b', ARGV[2])
redis.call('HSET', KEYS[2], 'd', ARGV[3], 's', 'accepted', 'p', '', 't', now + tonumber(ARGV[5]),
  'b', now, 'n', size, 'h', ARGV[4], 'e', entry, 'x', ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('ZADD', set, now, ARGV[1])
if keyed then redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[6]) end
redis.call('INCRBY', KEYS[6], size)
return {'new', ARGV[1]}
"""
)

# KEYS record, queue, results, bytes; ARGV grace (ms), channel, reason, document
# Only what no bridge has taken: the taking is journalled before anything is sent.
EXPIRE: Final = (
    _FINISH
    + """
local r = redis.call('HMGET', KEYS[1], 's', 'p', 't', 'e')
if r[1] ~= 'accepted' or r[2] ~= '' or now < tonumber(r[3]) + tonumber(ARGV[1]) then return 0 end
finish(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2], r[4], 'expired', ARGV[3], '', ARGV[4])
return 1
"""
)

# KEYS epoch, queue; ARGV epoch, record prefix, commit (0/1), then per command: id, entry, packet id
# Per command: {phase, epoch that took it, packet id, ms left} as before this call, or {} when it
# has its result. With commit it is journalled as sent, unless its deadline has passed.
TAKE: Final = (
    FENCE
    + _NOW
    + """
local out = {}
for i = 4, #ARGV, 3 do
  local record = ARGV[2] .. ARGV[i]
  local r = redis.call('HMGET', record, 's', 'p', 'c', 'i', 't', 'e')
  if r[1] ~= 'accepted' or r[6] ~= ARGV[i + 1] then
    redis.call('XACK', KEYS[2], 'bridge', ARGV[i + 1])
    redis.call('XDEL', KEYS[2], ARGV[i + 1])
    out[#out + 1] = {}
  else
    local left = tonumber(r[5]) - now
    if ARGV[3] == '1' and left > 0 then
      if r[2] == '' then redis.call('HSET', record, 'p', 'sent', 'i', ARGV[i + 2]) end
      redis.call('HSET', record, 'c', ARGV[1])
      redis.call('HINCRBY', record, 'a', 1)
    end
    out[#out + 1] = {r[2], r[3] or '', r[4] or '', left}
  end
end
return out
"""
)

# KEYS epoch, queue, results, bytes, burnt, opening; ARGV epoch, record prefix, channel,
# then per step: kind, id, entry, state, reason, code, document, packet id to burn
# Steps are written in the order they happened; each may be written twice without harm.
SETTLE: Final = (
    FENCE
    + _FINISH
    + """
for i = 4, #ARGV, 8 do
  local kind, record = ARGV[i], ARGV[2] .. ARGV[i + 1]
  if kind == 'finish' then
    if ARGV[i + 7] ~= '' then redis.call('SADD', KEYS[5], ARGV[i + 7]) end
    finish(record, KEYS[2], KEYS[3], KEYS[4], ARGV[3], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4],
      ARGV[i + 5], ARGV[i + 6])
  elseif kind == 'received' then
    if redis.call('HGET', record, 's') == 'accepted' then
      redis.call('HSET', record, 'p', 'received')
    end
  elseif kind == 'lost' then
    redis.call('DEL', KEYS[5])
  elseif kind == 'opened' then
    if redis.call('GET', KEYS[6]) == ARGV[i + 1] then redis.call('DEL', KEYS[6]) end
  elseif kind == 'drop' then
    let_go(KEYS[2], ARGV[i + 2])
  end
end
return 1
"""
)

# KEYS epoch, opening; ARGV epoch, mark. Returns the mark of a connection that was not examined.
OPENING: Final = (
    FENCE
    + """
local found = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[2], ARGV[2])
return found
"""
)
