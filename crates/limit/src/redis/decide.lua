-- One decision. KEYS: a count for each rule. ARGV: what to do, the time in microseconds (0: the
-- server's), how long ago a charge was that is given back, then for each key: how it is counted,
-- two numbers of that, the limit, the cost, whether it only shadows.
-- Answers for each key: whether there was enough left, and two numbers of where it stands.
local mode, now, ago = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local counts, refused = {}, false
for i, key in ipairs(KEYS) do
  local at = 6 * i - 2
  local kind, limit, cost = ARGV[at], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local one, two = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local count = { key = key, kind = kind, shadow = ARGV[at + 5] == '1' }
  local a, b, c = string.match(redis.call('GET', key) or '', '^' .. kind .. ' (%d+) (%d+) (%d+)$')
  if kind == 'g' then
    -- A debt, as it was at a time. `two` of it are paid in a microsecond, `one` of it is a unit.
    local debt = 0
    if a then
      debt = tonumber(a)
      if tonumber(c) ~= two then
        debt = math.ceil(debt * two / tonumber(c))
      end
      debt = math.max(debt - math.max(now - tonumber(b), 0) * two, 0)
    end
    local price, most = cost * one, limit * one
    count.found, count.more, count.per = debt, now, two
    if mode == 'refund' then
      -- Not what time has given back already.
      local owed = math.max(math.max(price, most) - ago * two, 0)
      count.next = math.max(debt - math.min(price, owed), 0)
    elseif mode == 'force' then
      count.next = math.min(debt + price, math.max(16 * most, debt))
    elseif cost <= limit and debt + price <= most then
      count.next = debt + price
    end
    count.lives = math.ceil((count.next or 0) / two / 1000)
  else
    -- A number, and the end of its window.
    local number, ends = 0, now + one
    if a and tonumber(b) > now then
      number, ends = tonumber(a), math.min(tonumber(b), now + one)
    end
    count.found, count.more, count.per = number, ends, one
    if mode == 'refund' then
      count.next = now - ago >= ends - one and math.max(number - cost, 0) or number
    elseif mode == 'force' then
      count.next = math.min(number + cost, limit)
    elseif number + cost <= limit then
      count.next = number + cost
    end
    count.lives = math.ceil((ends - now) / 1000)
  end
  refused = refused or (not count.next and not count.shadow)
  counts[i] = count
end
local reply = {}
for i, count in ipairs(counts) do
  local stands = count.found
  if not refused and count.next then
    stands = count.next
    if stands == 0 then
      redis.call('DEL', count.key)
    else
      local value = string.format('%s %.0f %.0f %.0f', count.kind, stands, count.more, count.per)
      redis.call('SET', count.key, value, 'PX', string.format('%.0f', count.lives + 1))
    end
  end
  reply[3 * i - 2] = count.next and 1 or 0
  reply[3 * i - 1] = stands
  reply[3 * i] = count.more - now
end
return reply
