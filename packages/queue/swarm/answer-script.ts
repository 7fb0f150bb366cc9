/** Leases for the wished pieces that are still free, and the answer. */
export const ANSWER = `
-- A piece that other sites have may leave the origin again, for this site.
local function mayCopy(record, wish, piece)
  local copied = tonumber(redis.call('HGET', base .. ':stats', 'copied:' .. record.rollout) or 0)
  return copied + request.pieceBytes <= wish.copyBytes and holders(':held:' .. record.site, piece) == 0
end

-- Each site has a link of its own to the origin, so sites have equal parts of the leases on it.
local function siteMayAsk(record, slots)
  local fetching, held = 0, 0
  for _, site in ipairs(redis.call('SMEMBERS', base .. ':sites')) do
    if redis.call('SCARD', base .. ':leechers:' .. site) > 0 then fetching = fetching + 1 end
  end
  for _, holder in pairs(fetching > 1 and leased('o') or {}) do
    if known(holder) and known(holder).site == record.site then held = held + 1 end
  end
  return held < math.max(1, math.ceil(slots / math.max(1, fetching)))
end

-- The next piece does more at a host of the site that has had fewer of them: it uploads what others lack. Where several wait, one of them asks again soon.
local function goesBehind(wishing)
  redis.call('ZREMRANGEBYSCORE', wishing, '-inf', now - limits.wishMs)
  local behind, own = 0, tonumber(redis.call('ZSCORE', base .. ':given', host) or 0)
  for _, other in ipairs(redis.call('ZRANDMEMBER', wishing, limits.wishes)) do
    if tonumber(redis.call('ZSCORE', base .. ':given', other) or 0) < own then behind = behind + 1 end
  end
  return 2 * behind >= limits.wishes
end

local function grant(wish)
  local record = known(host)
  if not record then return end
  for _, next in ipairs(wish.next) do
    local round = ofRound('round', next.kind, record.site)
    if (redis.call('HGET', base .. ':stats', round) or '0') == next.round then
      redis.call('HSET', base .. ':stats', round, next.round + 1, ofRound('slots', next.kind, record.site), next.slotsJson)
      beginRound(next.kind, record.site)
    end
  end
  local all, own = 0, { o = 0, s = 0 }
  for key in pairs(record.leases) do
    all = all + 1
    own[key:sub(1, 1)] = own[key:sub(1, 1)] + 1
  end
  local wishing = base .. ':wish:' .. record.site
  local wishes, waits = false, goesBehind(wishing)
  local isPaused = now < tonumber(redis.call('HGET', base .. ':stats', 'pausedUntil') or 0)
  for _, choice in ipairs(wish.pieces) do
    local kind, piece = choice.kind, choice.piece
    local isOrigin = kind == 'o'
    local isFree = all < wish.most and own[kind] < wish.share[kind] and redis.call('HEXISTS', leases(kind, record.site), piece) == 0
      and redis.call('HLEN', leases(kind, record.site)) < wish.slots[kind]
    local isCopy = isOrigin and seen(record.site, piece) > 0
    wishes = wishes or isOrigin and not isPaused
    if isFree and isOrigin then isFree = not isPaused and not waits and siteMayAsk(record, wish.slots.o) and (not isCopy or mayCopy(record, wish, piece)) end
    if isFree and not isOrigin then
      isFree = seen(record.site, piece) > 0 and holders(':held:' .. record.site, piece) == 0
        and redis.call('HEXISTS', leases('o'), piece) == 0
    end
    if isFree then
      give(record, kind, piece, kind .. piece .. '.' .. string.format('%.0f', now), isCopy)
      all, own[kind] = all + 1, own[kind] + 1
    end
  end
  redis.call('ZREM', wishing, host)
  if wishes and own.o == 0 then redis.call('ZADD', wishing, now, host) end
end

-- A host of another site that has the piece, not always one of the same site.
local function farHolder(record, piece)
  local sites = redis.call('SMEMBERS', base .. ':sites')
  for i = 1, #sites do
    local site = sites[(now + i) % #sites + 1]
    local name = site ~= record.site and redis.call('HGET', base .. ':who:' .. site, piece)
    local other = name and known(name)
    local has = other and other.counts and other.site == site and not isHiddenFrom(other, record.site) and redis.call('HGET', base .. ':maps', name):byte(piece + 1) == 49
    if has then return name end
  end
end

-- Hosts to fetch from: those that have what this one leases from other sites, and some by chance, of its site and of all.
local function peers(wanted)
  local record, told, found, leased = known(host), { [host] = true }, {}, {}
  if not record then return found end
  for key in pairs(record.leases) do
    if key:sub(1, 1) == 's' then leased[#leased + 1] = farHolder(record, tonumber(key:sub(3))) end
  end
  local near = redis.call('SRANDMEMBER', base .. ':in:' .. record.site, wanted.near)
  for _, names in ipairs({ leased, near, redis.call('HRANDFIELD', base .. ':hosts', wanted.far) }) do
    for _, name in ipairs(names) do
      local other = not told[name] and known(name)
      if other and other.counts and not isHiddenFrom(other, record.site) then
        for _, word in ipairs({ name, other.site, other.urls, redis.call('HGET', base .. ':maps', name) }) do found[#found + 1] = word end
      end
      told[name] = true
    end
  end
  return found
end

local function counted(key)
  local found, text = {}, redis.call('GET', base .. key) or ''
  for piece = 0, request.pieces - 1 do
    local high, low = text:byte(2 * piece + 1, 2 * piece + 2)
    found[piece + 1] = high and 256 * high + low or 0
  end
  return found
end

-- How often each piece is there, as hosts of a site see it.
local function countedFor(site)
  local held = counted(':held')
  if redis.call('EXISTS', base .. ':hidden:' .. site) == 0 then return held end
  for i, hidden in ipairs(counted(':hidden:' .. site)) do held[i] = math.max(0, held[i] - hidden) end
  return held
end

local function keep()
  for name, record in pairs(records) do
    if record then redis.call('HSET', base .. ':hosts', name, cjson.encode(record)) end
  end
  redis.call('HSETNX', base .. ':stats', 'began', now)
  redis.call('ZADD', KEYS[2], now, request.sizeBytes)
  local names = { ':hosts', ':maps', ':gone', ':held', ':sites', ':leechers', ':leases:o', ':ends', ':unseen', ':given', ':told', ':stats' }
  for _, site in ipairs(redis.call('SMEMBERS', base .. ':sites')) do
    for _, name in ipairs({ ':held:', ':hidden:', ':who:', ':wish:', ':in:', ':leechers:', ':leases:s:' }) do names[#names + 1] = name .. site end
  end
  for _, name in ipairs(names) do redis.call('PEXPIRE', base .. name, limits.keptMs) end
  redis.call('PEXPIRE', KEYS[2], limits.keptMs)
end

removeOld()
if request.announce then announce(request.announce) end
if request.wish then grant(request.wish) end
local record = known(host)
local others = request.peers and peers(request.peers) or {}
keep()
if not record then return {} end
local wants = request.counts
return {
  string.format('%.0f', now), cjson.encode(record), redis.call('HGETALL', base .. ':stats'),
  redis.call('SCARD', base .. ':leechers'), redis.call('SCARD', base .. ':leechers:' .. record.site), others,
  wants and redis.call('HKEYS', leases('o')) or {}, wants and redis.call('HKEYS', leases('s', record.site)) or {},
  wants and countedFor(record.site) or {}, wants and counted(':held:' .. record.site) or {},
  request.peers and redis.call('SRANDMEMBER', base .. ':unseen', limits.unseen) or {},
}
`;
