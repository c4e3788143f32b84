"""The script that writes one entry of the audit record: tied to the newest one, or not at all."""

from typing import Final

# KEYS stream, head, open. ARGV 1 link before, 2 link, 3 number, 4 document, 5 oldest entry to keep,
# 6 command opened by this entry or '', 7 command closed by it or '', 8 mark of the writer's key,
# 9 1 when the newest entry is known to be made with it. A command is closed once, whoever comes
# first. When the newest is another one than the writer knows, it is told with its entry. A head
# that was lost, or set back behind the entries, is made anew from the newest one. Returns the bytes
# the record takes.
APPEND: Final = """
local stream, head, open = KEYS[1], KEYS[2], KEYS[3]
if ARGV[7] ~= '' and redis.call('HEXISTS', open, ARGV[7]) == 0 then return {'closed'} end
local known = redis.call('HMGET', head, 'seq', 'link', 'key', 'bytes')
local seq, link = known[1] or '0', known[2] or ''
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local fields = newest and newest[2] or {}
local function is_before(one, other) return #one < #other or (#one == #other and one < other) end

local function begin_again(number)
  redis.call('HDEL', head, 'bytes')
  for i = 1, #fields, 2 do if fields[i] == 'l' then link = fields[i + 1] end end
  redis.call('HSET', head, 'seq', number, 'link', link)
  return {'rebuilt', number, link, fields, seq}
end
local top = newest and string.match(newest[1], '^%d+') or '0'
if is_before(seq, top) then return begin_again(top) end
if known[3] and known[3] ~= ARGV[8] then return {'key'} end
local unsure = not known[3] and newest and ARGV[9] ~= '1'
if unsure or link ~= ARGV[1] or tonumber(seq) + 1 ~= tonumber(ARGV[3]) then
  return {'moved', seq, link, fields, known[3] and '1' or ''}
end

local function weight(first, last)
  local total, at = 0, first
  while true do
    local page = redis.call('XRANGE', stream, at, last, 'COUNT', 500)
    for _, one in ipairs(page) do
      for _, text in ipairs(one[2]) do total = total + #text end
      total = total + 64
    end
    if #page < 500 then return total end
    at = '(' .. page[500][1]
  end
end
local bytes = tonumber(known[4]) or weight('-', '+')
local added = redis.pcall('XADD', stream, ARGV[3] .. '-0', 'd', ARGV[4], 'l', ARGV[2], 'b', ARGV[1])
if type(added) == 'table' and added.err then
  -- There were later entries, and they are gone: numbers are not used twice.
  local about = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      return begin_again(string.match(about[i + 1], '^%d+'))
    end
  end
end
bytes = bytes + weight(ARGV[3] .. '-0', '+')
local first = tonumber(ARGV[5])
if first > 1 then
  local oldest = string.format('%.0f-0', first)
  bytes = bytes - weight('-', '(' .. oldest)
  redis.call('XTRIM', stream, 'MINID', oldest)
end
redis.call('HSET', head, 'seq', ARGV[3], 'link', ARGV[2], 'key', ARGV[8],
  'first', string.format('%.0f', first), 'bytes', bytes)
if ARGV[6] ~= '' then redis.call('HSET', open, ARGV[6], ARGV[3]) end
if ARGV[7] ~= '' then redis.call('HDEL', open, ARGV[7]) end
return {'done', bytes}
"""
