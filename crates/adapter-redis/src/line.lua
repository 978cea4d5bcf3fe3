-- One step of the line of one show. The rules are those of `domain::waiting_room::Line`, name for
-- name, and the contract suite compares every answer. All keys share one hash tag. The caller puts
-- the rules' numbers in front of this text: BLOCK, STEPS_MAX, BLOCKS_MAX, JUMP, NO_TURNS_FOR, STALL
-- (milliseconds, both), MISSED_MAX, COST.
--
-- line        string  the scalars of the line, packed: as a hash they cost a fifth of a call
-- people      hash  number -> state|at|missed|joined_at|key; state: w waiting, a absent, r ready
--                   with its token, u ready without, e entered, l left, x expired. For waiting
--                   people only `seen` holds `at`
-- numbers     hash  key -> number
-- waiting     zset  number by number
-- seen, held, unheld, remembered   zset  number by time
-- blocks      hash  block -> how many wait in it
-- changes     zset  block by the version of its last change
-- known       zset  block by block
local LINE, PEOPLE, NUMBERS, WAITING, SEEN, HELD, UNHELD, REMEMBERED, BLOCKS, CHANGES, KNOWN = unpack(KEYS)

local op, incarnation = ARGV[1], ARGV[3]
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local grace, prompt, ready_for, pass_for, memory =
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local FIRST = 14 -- the first argument of the command itself
-- The keys expire after a day without use; their expiry is renewed at most once a second.
local LIFE, RENEW = 24 * 3600 * 1000, 1000

-- Lua would write a large number as 1.1e+14.
local function text(number)
  return string.format('%.0f', number)
end

local function block_of(number)
  return math.floor((number - 1) / BLOCK)
end

local function next_block(number)
  return math.ceil(number / BLOCK) * BLOCK
end

-- The scalars of the line.
local packed = redis.call('GET', LINE)
local S = packed and cmsgpack.unpack(packed) or {}
-- Keys that must exist while there are people. A server may evict one: then the line is lost.
local needed = {}
if packed and S.waiting > 0 then
  needed = { PEOPLE, NUMBERS, WAITING, SEEN, BLOCKS, CHANGES, KNOWN }
elseif packed and S.absent + S.ready > 0 then
  needed = { PEOPLE, NUMBERS }
end
local is_new = not packed or (#needed > 0 and redis.call('EXISTS', unpack(needed)) < #needed)
-- `find` changes nothing: its caller does not know the rules with which a line would begin.
if op == 'find' then
  return { now, is_new and {} or { S.rate, S.burst, S.paused, S.closed, S.capacity } }
end
if is_new then
  redis.call('UNLINK', unpack(KEYS))
  S = {}
  S.incarnation = incarnation
  S.rate, S.burst, S.paused, S.closed, S.capacity =
    tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  S.base, S.last, S.high = now * BLOCK, now * BLOCK, 0
  S.gap_from, S.gap_to = S.base, S.base
  S.founded_at, S.no_turns_before, S.nobody_absent_before, S.ticked_at = now, now, now, now
  S.turns_units, S.turns_at, S.passes_units, S.passes_at = 0, now, 0, now
  S.version, S.cleared, S.cleared_at, S.found_again, S.renewed_at = 0, 0, 0, 0, 0
  for _, total in ipairs({ 'joined', 'waiting', 'absent', 'ready', 'entered', 'left', 'expired', 'turns' }) do
    S[total] = 0
  end
end

local function refill(bucket)
  local units, at = bucket .. '_units', bucket .. '_at'
  if now > S[at] then
    S[units] = S[units] + (now - S[at]) * S.rate
    S[at] = now
  end
  S[units] = math.min(S[units], S.burst * COST)
end

local function take(bucket)
  refill(bucket)
  S[bucket .. '_units'] = S[bucket .. '_units'] - COST
end

local function give_back(bucket)
  refill(bucket)
  S[bucket .. '_units'] = math.min(S[bucket .. '_units'] + COST, S.burst * COST)
end

local function empty(bucket)
  S[bucket .. '_units'] = math.min(S[bucket .. '_units'], 0)
  S[bucket .. '_at'] = math.max(S[bucket .. '_at'], now)
end

local function book(bucket)
  take(bucket)
  local owed = math.max(-S[bucket .. '_units'], 0)
  return math.max(S[bucket .. '_at'], now) + math.ceil(owed / S.rate)
end

local function person(number)
  local packed = redis.call('HGET', PEOPLE, text(number))
  if not packed then
    return nil
  end
  local state, at, missed, joined_at, key = string.match(packed, '^(%a)|(%d+)|(%d+)|(%d+)|(.*)$')
  return { number = number, state = state, at = tonumber(at), missed = tonumber(missed), joined_at = joined_at, key = key }
end

local function keep(one)
  local packed = table.concat({ one.state, text(one.at), one.missed, one.joined_at, one.key }, '|')
  redis.call('HSET', PEOPLE, text(one.number), packed)
end

local INDEX = { w = SEEN, a = REMEMBERED, r = HELD, u = UNHELD, e = REMEMBERED, l = REMEMBERED, x = REMEMBERED }
local TOTAL = { w = 'waiting', a = 'absent', r = 'ready', u = 'ready', e = 'entered', l = 'left', x = 'expired' }

local function count(block, by)
  S.version = S.version + 1
  redis.call('HINCRBY', BLOCKS, text(block), by)
  redis.call('ZADD', CHANGES, text(S.version), text(block))
  if by > 0 then
    redis.call('ZADD', KNOWN, text(block), text(block))
  end
end

local function file(one)
  redis.call('ZADD', INDEX[one.state], text(one.at), text(one.number))
  S[TOTAL[one.state]] = S[TOTAL[one.state]] + 1
  if one.state == 'w' then
    redis.call('ZADD', WAITING, text(one.number), text(one.number))
    count(block_of(one.number), 1)
  end
end

local function unfile(one)
  redis.call('ZREM', INDEX[one.state], text(one.number))
  S[TOTAL[one.state]] = S[TOTAL[one.state]] - 1
  if one.state == 'w' then
    redis.call('ZREM', WAITING, text(one.number))
    count(block_of(one.number), -1)
  end
end

local function set(one, state, at)
  if one.state == 'w' and state == 'w' then
    redis.call('ZADD', SEEN, text(at), text(one.number))
    return
  end
  unfile(one)
  one.state, one.at = state, at
  keep(one)
  file(one)
end

local function hold(from)
  S.no_turns_before = math.max(S.no_turns_before, from + NO_TURNS_FOR)
  S.nobody_absent_before = math.max(S.nobody_absent_before, from + grace)
end

-- Times that were already answered stay.
local function set_rate(rate, burst)
  for _, bucket in ipairs({ 'turns', 'passes' }) do
    refill(bucket)
    local units = S[bucket .. '_units']
    if units < 0 then
      S[bucket .. '_units'] = -math.ceil(-units / S.rate) * rate
    else
      S[bucket .. '_units'] = math.min(units, burst * COST)
    end
  end
  S.rate, S.burst = rate, burst
end

local function lost()
  S.incarnation = incarnation
  set_rate(tonumber(ARGV[4]), tonumber(ARGV[5]))
  S.paused, S.closed, S.capacity = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  if S.gap_to == S.base or now - S.founded_at >= NO_TURNS_FOR then
    S.gap_from = S.last
  end
  S.last = next_block(math.max(S.last + JUMP, now * BLOCK))
  S.gap_to = S.last
  S.founded_at, S.found_again = now, 0
  hold(now)
  empty('turns')
  empty('passes')
end

local function add(number, key, joined_at)
  local one = { number = number, state = 'w', at = now, missed = 0, joined_at = joined_at, key = key }
  redis.call('HSET', NUMBERS, key, text(number))
  keep(one)
  S.joined = S.joined + 1
  file(one)
end

local function take_back(number, key, joined_at)
  local is_ours = number > S.base and number <= S.last
  if is_ours and (number <= S.gap_from or number > S.gap_to) then
    return false
  end
  local other = redis.call('HGET', NUMBERS, key)
  other = other and person(tonumber(other))
  if other then
    if (other.state == 'w' or other.state == 'a') and other.number > number then
      set(other, 'l', now)
    else
      return false
    end
  end
  if number > S.last then
    S.last = next_block(number + JUMP)
    S.gap_to = S.last
  end
  if S.found_again == 0 then
    S.found_again = 1
    hold(now < S.no_turns_before and math.min(now, S.founded_at + NO_TURNS_FOR / 2) or now)
  end
  add(number, key, joined_at)
  return true
end

-- The standing of a person: 0 waiting, 1 ready until, 2 entered from and until, 3 left, 4 expired.
local function beat(number, key, joined_at)
  local one = person(number)
  if not one then
    return take_back(number, key, joined_at) and 0 or 4, 0, 0
  elseif one.key ~= key then
    return 4, 0, 0
  end
  if one.state == 'w' or one.state == 'a' then
    set(one, 'w', now)
    return 0, 0, 0
  elseif one.state == 'r' or one.state == 'u' then
    return 1, 0, one.at + ready_for
  elseif one.state == 'e' then
    return 2, one.at, one.at + pass_for
  end
  return one.state == 'l' and 3 or 4, 0, 0
end

local function join(key)
  local known = redis.call('HGET', NUMBERS, key)
  local one = known and person(tonumber(known))
  if one then
    local is_over = one.state == 'l' or one.state == 'x' or (one.state == 'e' and now >= one.at + pass_for)
    if not is_over then
      beat(one.number, one.key, one.joined_at)
      return { 0, one.number, tonumber(one.joined_at) }
    end
  end
  if S.closed == 1 then
    return { 1 }
  elseif S.waiting >= S.capacity then
    return { 2 }
  end
  S.last = S.last + 1
  add(S.last, key, text(now))
  return { 0, S.last, now }
end

local function enter(number, key, joined_at)
  local one = person(number)
  if one and one.key == key and (one.state == 'r' or one.state == 'u') then
    if one.state == 'u' then
      take('turns')
    end
    set(one, 'e', book('passes'))
  end
  return beat(number, key, joined_at)
end

local function leave(number, key, joined_at)
  local standing, from, till = beat(number, key, joined_at)
  if standing <= 1 then
    local one = person(number)
    if one.state == 'r' then
      give_back('turns')
    end
    set(one, 'l', now)
    return 3, 0, 0
  end
  return standing, from, till
end

-- Calls `act` with each due number of an index, oldest first. Returns whether there are more.
-- Reads only due numbers: most ticks find none.
local function oldest(index, due, act)
  local found = redis.call('ZRANGEBYSCORE', index, '-inf', due, 'LIMIT', 0, STEPS_MAX + 1)
  for at = 1, math.min(#found, STEPS_MAX) do
    act(person(tonumber(found[at])))
  end
  return #found > STEPS_MAX
end

-- The latest time that is `long` ago; for zero any time, also a future one.
local function for_long(long)
  return long > 0 and text(now - long) or '+inf'
end

local function head()
  local first = redis.call('ZRANGE', WAITING, 0, 0)[1]
  return first and tonumber(first) or S.last + 1
end

local function clear_blocks()
  local first = block_of(head())
  if first > S.cleared then
    S.cleared, S.cleared_at = first, S.version
  end
  local before = '(' .. text(S.cleared)
  for _, block in ipairs(redis.call('ZRANGEBYSCORE', KNOWN, '-inf', before, 'LIMIT', 0, STEPS_MAX)) do
    local has_changed = tonumber(redis.call('ZSCORE', CHANGES, block)) > S.cleared_at
    if has_changed or redis.call('HGET', BLOCKS, block) ~= '0' then
      return
    end
    redis.call('ZREM', KNOWN, block)
    redis.call('ZREM', CHANGES, block)
    redis.call('HDEL', BLOCKS, block)
  end
end

local function forget()
  return oldest(REMEMBERED, for_long(memory), function(one)
    redis.call('ZREM', REMEMBERED, text(one.number))
    redis.call('HDEL', PEOPLE, text(one.number))
    if one.state == 'a' then
      S.absent = S.absent - 1
      S.expired = S.expired + 1
    end
    if redis.call('HGET', NUMBERS, one.key) == text(one.number) then
      redis.call('HDEL', NUMBERS, one.key)
    end
  end)
end

local function give_turns()
  if S.paused == 1 or now < S.no_turns_before then
    return false
  end
  refill('turns')
  local available = math.max(math.floor(S.turns_units / COST), 0)
  local ready_max = S.rate * math.max(math.floor(ready_for / 1000), 1)
  local due = math.min(available, math.max(ready_max - S.ready, 0), S.waiting)
  local given = math.min(due, STEPS_MAX)
  if given > 0 then
    for _, number in ipairs(redis.call('ZRANGE', WAITING, 0, given - 1)) do
      local one = person(tonumber(number))
      if one.missed == 0 then
        take('turns')
      end
      set(one, one.missed == 0 and 'r' or 'u', now)
      S.high = math.max(S.high, one.number)
      S.turns = S.turns + 1
    end
  end
  return due > given
end

local function tick()
  if now - S.ticked_at > STALL then
    S.nobody_absent_before = now + grace
  end
  S.ticked_at = math.max(S.ticked_at, now)
  local unused = oldest(HELD, for_long(prompt), function(one)
    give_back('turns')
    set(one, 'u', one.at)
  end)
  local missed = oldest(UNHELD, for_long(ready_for), function(one)
    one.missed = one.missed + 1
    set(one, one.missed >= MISSED_MAX and 'x' or 'a', now)
  end)
  local silent = now >= S.nobody_absent_before and oldest(SEEN, '(' .. text(now - grace), function(one)
    set(one, 'a', now)
  end)
  local forgotten = forget()
  clear_blocks()
  local given = give_turns()
  return unused or missed or silent or forgotten or given
end

local function snapshot(incarnation_known, version_known, is_busy)
  local from = 0
  if incarnation_known == S.incarnation then
    from = math.min(tonumber(version_known), S.version)
  end
  local changed = redis.call(
    'ZRANGEBYSCORE', CHANGES, text(from + 1), '+inf', 'WITHSCORES', 'LIMIT', 0, BLOCKS_MAX + 1)
  local more = #changed > 2 * BLOCKS_MAX
  local answer = {
    S.incarnation, more and tonumber(changed[2 * BLOCKS_MAX]) or S.version, head(), S.high, S.last,
    S.rate, S.burst, S.paused, S.closed, S.capacity,
    S.joined, S.waiting, S.absent, S.ready, S.entered, S.left, S.expired, S.turns,
    from < S.cleared_at and S.cleared or 0, more and 1 or 0, is_busy and 1 or 0,
  }
  for at = 1, math.min(#changed, 2 * BLOCKS_MAX), 2 do
    answer[#answer + 1] = tonumber(changed[at])
    answer[#answer + 1] = tonumber(redis.call('HGET', BLOCKS, changed[at]))
  end
  return answer
end

local function rule()
  set_rate(tonumber(ARGV[FIRST]) or S.rate, tonumber(ARGV[FIRST + 1]) or S.burst)
  for at, name in ipairs({ 'paused', 'closed', 'capacity' }) do
    S[name] = tonumber(ARGV[FIRST + at + 1]) or S[name]
  end
end

-- After a restart or a promotion the server's id differs from the id that wrote this: the last
-- writes may be lost.
local reign = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not is_new and S.reign ~= reign then
  lost()
end
S.reign = reign

local answer
if op == 'open' then
  answer = {}
elseif op == 'join' then
  answer = join(ARGV[FIRST])
elseif op == 'beat' then
  answer = {}
  for at = FIRST, #ARGV, 3 do
    local standing, from, till = beat(tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2])
    answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = standing, from, till
  end
elseif op == 'enter' then
  answer = { enter(tonumber(ARGV[FIRST]), ARGV[FIRST + 1], ARGV[FIRST + 2]) }
elseif op == 'leave' then
  answer = { leave(tonumber(ARGV[FIRST]), ARGV[FIRST + 1], ARGV[FIRST + 2]) }
elseif op == 'tick' then
  local is_busy = tick()
  answer = snapshot(ARGV[FIRST], ARGV[FIRST + 1], is_busy)
elseif op == 'rule' then
  rule()
  answer = {}
else
  return redis.error_reply('ERR the line knows no command ' .. op)
end
if op == 'open' or op == 'rule' then
  answer = { S.rate, S.burst, S.paused, S.closed, S.capacity }
end

local is_renewed = math.abs(now - S.renewed_at) >= RENEW
if is_renewed then
  S.renewed_at = now
end
redis.call('SET', LINE, cmsgpack.pack(S), 'KEEPTTL')
if is_renewed then
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, LIFE)
  end
end
return { now, answer }
