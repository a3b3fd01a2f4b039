-- One decision. KEYS: a count for each rule. ARGV: what to do; the time in microseconds (0: the
-- server's); how long ago a charge was that is given back; how many times the costs, or as many of
-- these as there is room for; then for each key: how it is counted, two numbers of that, the limit,
-- the cost, whether it only shadows, and where it begins that Redis does not know: what is owed,
-- and for how long.
-- Answers how many times was charged; then for each key whether there was enough left, and three
-- numbers of where it stands.
local mode, now, ago, times = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if mode == 'forget' then
  redis.call('DEL', unpack(KEYS))
  return { 0 }
end
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local asks = mode == 'check'
local counts, room = {}, times
for i, key in ipairs(KEYS) do
  local at = 7 * i - 2
  local kind, one, two = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local limit, cost, shadow = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5] == '1'
  local base, left = string.match(ARGV[at + 6], '^(%d+) (%d+)$')
  -- What somebody else has put there is none of ours.
  local value = redis.pcall('GET', key)
  value = type(value) == 'string' and value or ''
  local a, b, c = string.match(value, '^' .. kind .. ' (%d+) (%d+) (%d+)$')
  a, b, c = tonumber(a), tonumber(b), tonumber(c)
  if a and (math.max(a, b, c) > 9007199254740992 or kind == 'g' and c == 0) then
    a = nil
  end
  local count = { key = key, kind = kind, one = one, two = two, limit = limit, cost = cost }
  count.is_told = not a and tonumber(base) > 0
  if kind == 'g' then
    -- A debt, as it was at a time. `two` of it are paid in a microsecond, `one` of it is a unit.
    local debt = tonumber(base)
    if a then
      debt = c ~= two and math.ceil(a * two / c) or a
      debt = math.max(debt - math.max(now - b, 0) * two, 0)
    end
    count.stands, count.free, count.price = debt, limit * one - debt, cost * one
  elseif kind == 'w' then
    -- A number, and the end of its window of `one` microseconds.
    count.stands, count.ends = tonumber(base), now + tonumber(left)
    if a then
      count.stands, count.ends = a, math.min(b, now + one)
    end
    if count.ends <= now then
      count.stands, count.ends = 0, now + one
    end
    count.free, count.price = limit - count.stands, cost
  else
    -- Two windows' numbers. A window is `one` ticks long, of `two` microseconds each.
    local tick = math.floor(now / two)
    count.window, count.into = math.floor(tick / one), tick % one
    count.stands, count.last = tonumber(base), 0
    if a and b >= count.window then
      count.stands, count.last = a, c
    elseif a then
      count.stands, count.last = 0, b == count.window - 1 and a or 0
    end
    count.free = (limit - count.stands) * one - count.last * (one - count.into)
    count.price = cost * one
  end
  -- What costs nothing always passes, what costs more than there can ever be never does.
  local fits = cost > limit and 0 or math.floor(count.free / count.price)
  count.fits = cost == 0 and times or math.max(fits, 0)
  if asks and not shadow then
    room = math.min(room, count.fits)
  end
  counts[i] = count
end
local refused = room == 0
local reply = { room }
for i, count in ipairs(counts) do
  local one, two, limit = count.one, count.two, count.limit
  local passed = not asks or count.fits >= math.max(room, 1)
  local units = passed and not refused and count.cost * room or 0
  -- What Redis was told is kept, also by a refusal.
  if units > 0 or count.is_told then
    local lives, x, y, z = 0, 0, 0, 0
    if count.kind == 'g' then
      local debt, price, most = count.stands, units * one, limit * one
      if mode == 'refund' then
        -- Not what time has given back already.
        local owed = math.max(math.max(price, most) - ago * two, 0)
        debt = math.max(debt - math.min(price, owed), 0)
      elseif mode == 'owe' then
        debt = math.min(debt + units, math.max(16 * most, debt))
      else
        debt = math.min(debt + price, math.max(16 * most, debt))
      end
      count.stands, lives = debt, debt / two
      x, y, z = debt, now, two
    elseif count.kind == 'w' then
      if mode ~= 'refund' then
        count.stands = math.min(count.stands + units, limit)
      elseif now - ago >= count.ends - one then
        count.stands = math.max(count.stands - units, 0)
      end
      x, y, z, lives = count.stands, count.ends, one, count.ends - now
    else
      if mode ~= 'refund' then
        count.stands = math.min(count.stands + units, limit)
      else
        local since = count.window - math.floor(math.floor((now - ago) / two) / one)
        if since == 0 then
          count.stands = math.max(count.stands - units, 0)
        elseif since == 1 then
          count.last = math.max(count.last - units, 0)
        end
      end
      x, y, z, lives = count.stands, count.window, count.last, (2 * one - count.into) * two
    end
    if x == 0 and (count.last or 0) == 0 then
      redis.call('DEL', count.key)
    else
      local value = string.format('%s %.0f %.0f %.0f', count.kind, x, y, z)
      redis.call('SET', count.key, value, 'PX', string.format('%.0f', math.ceil(lives / 1000) + 1))
    end
  end
  reply[4 * i - 2] = passed and 1 or 0
  reply[4 * i - 1] = count.stands
  reply[4 * i] = count.ends and count.ends - now or (count.into or 0)
  reply[4 * i + 1] = count.last or 0
end
return reply
