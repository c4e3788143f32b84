"""What the scripts of durable commands share: how a command ends, and how its record goes.

A record is a hash: ``d`` what never changes (`OrderSummary`), ``s`` state, ``p`` phase ('' =
queued), ``c`` epoch of the bridge that took it, ``i`` packet id, ``a`` attempts, ``r`` reason,
``k`` code, ``t`` deadline, ``b`` accepted, ``f`` finished (ms of Redis' own clock, the only one all
parties share), ``n`` bytes in the stream, ``h`` fingerprint, ``e`` stream entry, ``x`` 1 with an
Idempotency-Key, ``y`` that key's digest, ``w`` sender, ``l`` how long it is kept after its end,
``z`` until when it is kept (ms), ``m`` bytes it counts for.

A record never goes before it has its result, so every accepted command has exactly one. The bytes
that wait are those of the entries in the stream: whoever takes an entry out takes them off.
"""

from typing import Final

from mqtt_dashboard.bus.kept import RESULTS_KEPT
from mqtt_dashboard.contract.channels import RedisChannels

GROUP: Final = "bridge"
# Records are removed by the dashboards; this is for a Redis that none of them comes back to.
LEFT_ALONE_MS: Final = 30 * 86_400_000

NOW: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
"""

# Every script that may end a command has these at the same places: `ending_keys` and
# `ending_arguments` behind a first one of its own.
_NAMES: Final = """
local queue, results, bytes, open, kept = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local channel, records, digests = ARGV[2], ARGV[3], ARGV[4]
"""

# What is not one of our records reads as nothing: it must not hold up what comes after it.
_READ: Final = """
local function whole(text)
  local number = tonumber(text)
  if not number or number ~= number or number < 0 or number > 1e15 then return nil end
  return math.floor(number)
end
local function fields_of(id, ...)
  local found = redis.pcall('HMGET', records .. id, ...)
  return found.err and {} or found
end
"""

_LET_GO: Final = """
local function let_go(entry, size)
  redis.pcall('XACK', queue, 'bridge', entry)
  local found = redis.pcall('XRANGE', queue, entry, entry)
  if found.err or not found[1] then return end
  local fields = found[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'n' then size = fields[i + 1] end
  end
  redis.call('XDEL', queue, entry)
  local left = redis.call('DECRBY', bytes, whole(size) or 0)
  if left < 0 or redis.call('XLEN', queue) == 0 then redis.call('SET', bytes, 0) end
end
"""

# Record the one result of a command, tell it, and only then let go of its place in the stream.
_FINISH: Final = """
local function keep_until(id, lasts, till, digest)
  lasts = whole(lasts)
  if not lasts then return end
  till = math.max(whole(till) or 0, now + lasts)
  redis.call('HSET', records .. id, 'z', till)
  redis.call('ZADD', kept, 'XX', till, id)
  redis.call('PEXPIREAT', records .. id, till + LEFT_ALONE)
  if digest and digest ~= '' then
    redis.call('PEXPIREAT', digests .. digest, till + LEFT_ALONE)
  end
end
local function finish(id, entry, state, reason, code, document)
  local r = fields_of(id, 's', 'n', 'l', 'z', 'y')
  local new = r[1] == 'accepted'
  if new then
    redis.call('HSET', records .. id, 's', state, 'p', 'done', 'r', reason, 'k', code, 'f', now)
    redis.call('XADD', results, 'MAXLEN', '~', RESULTS_KEPT, '*', 'd', document)
    redis.call('PUBLISH', channel, document)
    keep_until(id, r[3], r[4], r[5])
  end
  redis.call('ZREM', open, id)
  let_go(entry, r[2])
  return new
end
""".replace("RESULTS_KEPT", str(RESULTS_KEPT)).replace("LEFT_ALONE", str(LEFT_ALONE_MS))

ENDING: Final = NOW + _NAMES + _READ + _LET_GO + _FINISH

# End a command here, with the document that the bridge would write: a `CommandResult`.
CONCLUDE: Final = """
local function conclude(id, entry, summary, state, reason)
  local is_text, about = pcall(cjson.decode, summary or '')
  if not is_text or type(about) ~= 'table' then about = {} end
  local document = cjson.encode({
    type = 'command_result', id = id, state = state, reason = reason, timestamp = now / 1000,
    topic = about.topic or '', topic_sha256 = about.topic_sha256,
    mode = about.mode or 'at-most-once', qos = about.qos or 0
  })
  return finish(id, entry or '', state, reason, '', document)
end
"""

# What was withdrawn after a command was accepted was withdrawn for it, too.
WITHDRAWN: Final = """
local function is_withdrawn(withdrawn, sender, accepted)
  if not sender or sender == '' then return false end
  local at = redis.call('ZSCORE', withdrawn, sender)
  return at and (whole(accepted) or 0) <= tonumber(at)
end
"""

# Needs `recent`, `keyed`, `senders` and `weight`.
FORGET: Final = """
local function forget(id)
  local r = fields_of(id, 'm', 'w', 'x', 'y')
  redis.call('DECRBY', weight, whole(r[1]) or 0)
  if r[3] == '1' and r[2] and redis.call('HINCRBY', senders, r[2], -1) <= 0 then
    redis.call('HDEL', senders, r[2])
  end
  if r[4] and r[4] ~= '' then redis.call('DEL', digests .. r[4]) end
  redis.call('DEL', records .. id)
  for _, set in ipairs({recent, keyed, kept}) do redis.call('ZREM', set, id) end
end
local function forget_old(most)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', now, 'LIMIT', 0, most)) do
    -- It has no result yet: the sweep sees to that first.
    if fields_of(id, 's')[1] == 'accepted' then redis.call('ZADD', kept, now + 60000, id)
    else forget(id) end
  end
  if redis.call('ZCARD', kept) == 0 then redis.call('DEL', weight, senders) end
end
"""


def ending_keys(names: RedisChannels) -> list[str]:
    """Return the keys that the scripts share, to stand behind their first one."""
    return [
        names.orders,
        names.order_results,
        names.order_bytes,
        names.orders_open,
        names.orders_kept,
    ]


def ending_arguments(names: RedisChannels) -> list[str]:
    """Return the arguments that the scripts share, to stand behind their first one."""
    return [names.COMMAND_RESULTS, names.order_records, names.order_keys]
