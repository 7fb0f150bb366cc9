/*
 * The state of one swarm, below KEYS[1]; KEYS[2] has the lengths of the file. All of it may be lost: hosts tell it again with their next announce.
 *
 *   :hosts     hash   host → what is known of it, as JSON; its leases too
 *   :maps      hash   host → its pieces, `0` or `1` each
 *   :gone      zset   host → when it counts as gone
 *   :held      u16[]  how many hosts have each piece; `:held:SITE` those of a site; `:hidden:SITE` those of other sites that are hidden from the site
 *   :who:SITE  hash   piece → the host of the site that got it last, of those that all other sites can fetch from, else the first one
 *   :in:SITE   set    hosts of a site; `:sites` the sites
 *   :unseen    set    hosts that no host is to fetch from
 *   :leechers  set    hosts that fetch the file and that hosts of some other site can fetch from; `:leechers:SITE` those that hosts of their site can fetch from
 *   :wish:SITE zset   host → when it wanted a lease on the origin and got none; `:given` how many leases on it each host has had
 *   :leases:o  hash   piece → the host that may ask the origin for it; `:leases:s:SITE` the one that may fetch it from other sites
 *   :ends      zset   lease → when it ends
 *   :told      hash   host → its start, and what it said that it took from the origin since then
 *   :stats     hash   sums; those that end with `:ROLLOUT` are of hosts that fetch the file for that rollout, or for none
 *
 * Times are milliseconds by the clock of Redis.
 */

/** Reads and changes the state. A script that begins with this has `host`, `now`, and the functions. */
export const STATE = `
local base = KEYS[1]
local request = cjson.decode(ARGV[1])
local host, limits = request.host, request.limits
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local records = {}

local function known(name)
  if records[name] == nil then
    local json = redis.call('HGET', base .. ':hosts', name)
    records[name] = json and cjson.decode(json) or false
  end
  return records[name]
end

local function leases(kind, site) return base .. ':leases:' .. (kind == 'o' and 'o' or 's:' .. site) end

local function leased(kind, site)
  local found, flat = {}, redis.call('HGETALL', leases(kind, site))
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function holders(key, piece) return redis.call('BITFIELD', base .. key, 'GET', 'u16', '#' .. piece)[1] end

local function add(key, pieces, step)
  for first = 1, #pieces, 500 do
    local changes = { 'OVERFLOW', 'SAT' }
    for i = first, math.min(#pieces, first + 499) do
      for _, word in ipairs({ 'INCRBY', 'u16', '#' .. pieces[i], step }) do changes[#changes + 1] = word end
    end
    redis.call('BITFIELD', base .. key, unpack(changes))
  end
end

-- Returns the pieces that are counted more often than before.
local function recount(key, before, after)
  local more, less = {}, {}
  if before == after then return more end
  for i = 1, math.max(#before, #after) do
    local was, is = before:byte(i) == 49, after:byte(i) == 49
    if is and not was then more[#more + 1] = i - 1 elseif was and not is then less[#less + 1] = i - 1 end
  end
  add(key, more, 1)
  add(key, less, -1)
  return more
end

-- No host of another site can fetch from it.
local function isHiddenFar(record)
  local others = 0
  for _, site in ipairs(record.hiddenFrom and redis.call('SMEMBERS', base .. ':sites') or {}) do
    if site ~= record.site then
      if not record.hiddenFrom[site] then return false end
      others = others + 1
    end
  end
  return others > 0
end

local function isHiddenFrom(record, site) return record.hiddenFrom and record.hiddenFrom[site] end

-- How many hosts have a piece, as hosts of a site see it.
local function seen(site, piece) return math.max(0, holders(':held', piece) - holders(':hidden:' .. site, piece)) end

-- Counts the pieces of a host, or none of them, and takes them away for the sites that it is hidden from.
local function show(name, record, map, counts)
  local before = record.counts and redis.call('HGET', base .. ':maps', name) or ''
  local after = counts and map or ''
  recount(':held:' .. record.site, before, after)
  local more = recount(':held', before, after)
  local was, is = record.countsFrom or {}, counts and record.hiddenFrom or {}
  for site in pairs(was) do recount(':hidden:' .. site, before, is[site] and after or '') end
  local countsFrom = {}
  for site in pairs(is) do
    if not was[site] then recount(':hidden:' .. site, '', after) end
    countsFrom[site] = true
  end
  record.countsFrom = next(countsFrom) and countsFrom
  record.hiddenFar = isHiddenFar(record)
  local put = next(is) and 'HSETNX' or 'HSET'
  for _, piece in ipairs(more) do redis.call(put, base .. ':who:' .. record.site, piece, name) end
  record.counts = counts
  redis.call('HSET', base .. ':maps', name, map)
  redis.call(counts and 'SREM' or 'SADD', base .. ':unseen', name)
  local fetches = counts and record.state == 'leeching'
  redis.call(fetches and not record.hiddenFar and 'SADD' or 'SREM', base .. ':leechers', name)
  redis.call(fetches and 'SADD' or 'SREM', base .. ':leechers:' .. record.site, name)
end

-- What enters the site of a host: for all, and for its rollout.
local function inflows(record)
  return { 'into:' .. record.site, 'into-site:' .. record.rollout .. ':' .. record.site }
end

-- Bytes that came from the origin ('o') or from other sites ('s').
local function count(record, kind, bytes)
  if kind == 'o' then
    redis.call('HINCRBY', base .. ':stats', 'originBytes', bytes)
    redis.call('HINCRBY', base .. ':stats', 'origin:' .. record.rollout, bytes)
  end
  for _, name in ipairs(inflows(record)) do
    redis.call('HINCRBY', base .. ':stats', name, bytes)
    redis.call('HSETNX', base .. ':stats', name .. '@from', now)
    redis.call('HSET', base .. ':stats', name .. '@at', now)
  end
end

local function ofRound(name, kind, site) return kind == 'o' and name or name .. '@' .. site end

local function beginRound(kind, site)
  local function named(name) return ofRound(name, kind, site) end
  redis.call('HSET', base .. ':stats', named('roundAt'), now, named('roundLeases'), 0, named('roundMs'), 0)
end

local function measure(record, lease, kind, site)
  local took = now - lease.at
  record.own = record.own and 0.7 * record.own + 0.3 * took or took
  local average = tonumber(redis.call('HGET', base .. ':stats', 'pieceMs'))
  redis.call('HSET', base .. ':stats', 'pieceMs', average and 0.7 * average + 0.3 * took or took)
  if kind == 'o' then redis.call('HSET', base .. ':stats', 'originAt', now, 'origin-at:' .. record.rollout, now) end
  -- While fewer leases are held than may be, their times do not say how many are right: the round begins again.
  local slots = redis.call('HGET', base .. ':stats', ofRound('slots', kind, site))
  if redis.call('HLEN', leases(kind, site)) + 1 < (slots and cjson.decode(slots).slots or limits.firstSlots) then beginRound(kind, site) return end
  if lease.at < tonumber(redis.call('HGET', base .. ':stats', ofRound('roundAt', kind, site)) or 0) then return end
  redis.call('HINCRBY', base .. ':stats', ofRound('roundLeases', kind, site), 1)
  redis.call('HINCRBY', base .. ':stats', ofRound('roundMs', kind, site), took)
end

local function free(kind, site, piece, isDone)
  local holder = redis.call('HGET', leases(kind, site), piece)
  if not holder then return end
  redis.call('HDEL', leases(kind, site), piece)
  redis.call('ZREM', base .. ':ends', kind .. ':' .. piece .. ':' .. site)
  local record = known(holder)
  local lease = record and record.leases[kind .. ':' .. piece]
  if not lease then return end
  record.leases[kind .. ':' .. piece] = nil
  local bytes = isDone and math.min(request.pieceBytes, request.sizeBytes - piece * request.pieceBytes) or lease.bytes
  -- What a host says of the origin counts more: it has bytes without a lease in it.
  if kind ~= 'o' or redis.call('HEXISTS', base .. ':told', holder) == 0 then count(record, kind, bytes) end
  if lease.copy then redis.call('HINCRBY', base .. ':stats', 'copied:' .. lease.copy, bytes - request.pieceBytes) end
  if isDone then measure(record, lease, kind, site) end
end

-- isCopy: another host has the piece. The whole piece counts as copied until the lease has ended.
local function give(record, kind, piece, id, isCopy)
  local copy = isCopy and record.rollout or nil
  record.leases[kind .. ':' .. piece] = { id = id, at = now, moved = now, bytes = 0, ends = now + request.leaseMs, copy = copy }
  if copy then redis.call('HINCRBY', base .. ':stats', 'copied:' .. copy, request.pieceBytes) end
  redis.call('HSET', leases(kind, record.site), piece, host)
  redis.call('ZADD', base .. ':ends', now + request.leaseMs, kind .. ':' .. piece .. ':' .. (kind == 'o' and '' or record.site))
  for _, name in ipairs(inflows(record)) do redis.call('HSETNX', base .. ':stats', name .. '@from', now) end
  if kind ~= 'o' then return end
  redis.call('ZINCRBY', base .. ':given', 1, host)
  redis.call('HSETNX', base .. ':stats', 'originFrom', now)
  redis.call('HSETNX', base .. ':stats', 'origin-from:' .. record.rollout, now)
end

local function freeAll(record)
  local keys = {}
  for key in pairs(record.leases) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do
    local kind, piece = key:match('^(%a):(%d+)$')
    free(kind, kind == 'o' and '' or record.site, piece, false)
  end
end

local function remove(name)
  local record = known(name)
  redis.call('ZREM', base .. ':gone', name)
  if not record then return end
  freeAll(record)
  show(name, record, redis.call('HGET', base .. ':maps', name) or '', false)
  redis.call('HDEL', base .. ':hosts', name)
  redis.call('HDEL', base .. ':maps', name)
  redis.call('SREM', base .. ':unseen', name)
  for _, key in ipairs({ ':wish:' .. record.site, ':given' }) do redis.call('ZREM', base .. key, name) end
  redis.call('SREM', base .. ':in:' .. record.site, name)
  if redis.call('SCARD', base .. ':in:' .. record.site) == 0 then
    redis.call('SREM', base .. ':sites', record.site)
    redis.call('DEL', base .. ':held:' .. record.site, base .. ':who:' .. record.site)
  end
  records[name] = false
end

-- Another host would begin with nothing: one that has more than half of the piece, and still gets more, has as long again. Once.
local function goesOn(kind, site, piece)
  local record = known(redis.call('HGET', leases(kind, site), piece) or '')
  local lease = record and record.leases[kind .. ':' .. piece]
  if not lease or lease.longer or 2 * lease.bytes < request.pieceBytes or now - lease.moved > limits.stallMs then return false end
  lease.longer, lease.ends = true, now + (now - lease.at)
  redis.call('ZADD', base .. ':ends', lease.ends, kind .. ':' .. piece .. ':' .. site)
  return true
end

local function removeOld()
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', base .. ':gone', '-inf', now, 'LIMIT', 0, 100)) do remove(name) end
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', base .. ':ends', '-inf', now)) do
    local kind, piece, site = lease:match('^(%a):(%d+):(.*)$')
    if not goesOn(kind, site, piece) then free(kind, site, piece, false) end
  end
end
`;
