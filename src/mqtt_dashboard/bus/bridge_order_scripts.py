"""The scripts by which a bridge takes durable commands and settles them; all are fenced."""

from typing import Final

from mqtt_dashboard.bus.fence import FENCE
from mqtt_dashboard.bus.order_steps import CONCLUDE, ENDING, WITHDRAWN

# KEYS 1 epoch, 2-6 shared, 7 withdrawn; ARGV 1 epoch, 2-4 shared, 5 commit (0/1), 6 the words for
# withdrawn, 7 for broken, then per command: id, entry, packet id
# Per command: {phase, epoch that took it, packet id, ms left} as before this call, or {} when it
# has its result. With commit it is journalled as sent, unless its deadline has passed.
TAKE: Final = (
    FENCE
    + ENDING
    + CONCLUDE
    + WITHDRAWN
    + """
local function take(id, entry, packet_id)
  local r = fields_of(id, 's', 'p', 'c', 'i', 't', 'e', 'd', 'w', 'b')
  if r[1] ~= 'accepted' or r[6] ~= entry then
    let_go(entry)
    return {}
  end
  local due = whole(r[5])
  if not due then
    conclude(id, entry, r[7], r[2] == '' and 'failed' or 'indeterminate', ARGV[7])
    return {}
  end
  if r[2] == '' and is_withdrawn(KEYS[7], r[8], r[9]) then
    conclude(id, entry, r[7], 'failed', ARGV[6])
    return {}
  end
  if ARGV[5] == '1' and due > now then
    if r[2] == '' then redis.call('HSET', records .. id, 'p', 'sent', 'i', packet_id) end
    redis.call('HSET', records .. id, 'c', ARGV[1])
    redis.call('HINCRBY', records .. id, 'a', 1)
  end
  return {r[2], r[3] or '', r[4] or '', due - now}
end
local out = {}
for i = 8, #ARGV, 3 do out[#out + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return out
"""
)

# KEYS 1 epoch, 2-6 shared, 7 burnt, 8 opening; ARGV 1 epoch, 2-4 shared,
# then per step: kind, id, entry, state, reason, code, document, packet id to burn
# Steps are written in the order they happened; each may be written twice without harm.
SETTLE: Final = (
    FENCE
    + ENDING
    + """
for i = 5, #ARGV, 8 do
  local kind, id, entry = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if kind == 'finish' then
    if ARGV[i + 7] ~= '' then redis.call('SADD', KEYS[7], ARGV[i + 7]) end
    finish(id, entry, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6])
  elseif kind == 'received' then
    if fields_of(id, 's')[1] == 'accepted' then
      redis.call('HSET', records .. id, 'p', 'received')
    end
  elseif kind == 'lost' then
    redis.call('DEL', KEYS[7])
  elseif kind == 'opened' then
    if redis.call('GET', KEYS[8]) == id then redis.call('DEL', KEYS[8]) end
  elseif kind == 'drop' then
    let_go(entry)
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
