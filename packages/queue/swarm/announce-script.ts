import { STATE } from './state-script.ts';

/** What a host says of itself, of its leases and of others. */
const ANNOUNCE = `
local function hear(record, said, isNew)
  for _, report in ipairs(said.reports) do
    local kind, piece = report.kind, report.piece
    local site = kind == 'o' and '' or record.site
    local lease = record.leases[kind .. ':' .. piece]
    if lease and lease.id == report.id then
      if report.status ~= 'held' then
        free(kind, site, piece, report.status == 'done' and said.map:byte(piece + 1) == 49)
        if report.retryMs > 0 and kind == 'o' then
          redis.call('HSET', base .. ':stats', 'pausedUntil', now + math.min(report.retryMs, limits.pauseMs))
        end
      elseif report.bytes ~= lease.bytes then
        lease.bytes, lease.moved = report.bytes, now
      elseif now - lease.moved > limits.stallMs then
        free(kind, site, piece, false)
      end
    elseif isNew and report.status == 'held' and redis.call('HEXISTS', leases(kind, site), piece) == 0
      and holders(kind == 'o' and ':held' or ':held:' .. record.site, piece) == 0 then
      give(record, kind, piece, report.id)
    end
  end
end

-- What came from the origin since the last announce; of a transfer that began since then all of it. No host is believed more than two copies at once.
local function tell(record, said)
  if not said.originBytes then return end
  local boot, before = (redis.call('HGET', base .. ':told', host) or ''):match('^(.*) (%d+)$')
  before = boot == said.boot and tonumber(before) or 0
  if said.originBytes < before then before = 0 end
  if said.originBytes > before then count(record, 'o', math.min(said.originBytes - before, 2 * request.sizeBytes)) end
  redis.call('HSET', base .. ':told', host, said.boot .. ' ' .. string.format('%.0f', said.originBytes))
end

-- A lease goes on when a host of another site has the piece and cannot give it, or the lease is one on a copy.
local function isOver(record, kind, piece, holder)
  local other = known(holder)
  if not other or other.site == record.site then return true end
  local lease = other.leases[kind .. ':' .. piece]
  return record.counts == true and not (lease and lease.copy)
end

-- What two hosts of its site cannot fetch from is no use to anybody; what others cannot reach still serves its site.
local function countsFor(record)
  if record.urls == '' or record.hiddenUntil then return false end
  return not record.hiddenFarUntil or 'site'
end

local function blame(name)
  local record = name ~= host and known(name)
  if not record then return end
  record.blame[host] = now
  local all, near = 0, 0
  for reporter, at in pairs(record.blame) do
    local other = now - at <= limits.reportMs and known(reporter)
    if not other then
      record.blame[reporter] = nil
    else
      all = all + 1
      if other.site == record.site then near = near + 1 end
    end
  end
  local mates = redis.call('SCARD', base .. ':in:' .. record.site) - 1
  if mates > 0 and near >= math.min(limits.neededReports, mates) then
    record.hiddenUntil = now + limits.reportMs
  elseif all >= math.min(limits.neededReports, redis.call('HLEN', base .. ':hosts') - 1) then
    record.hiddenFarUntil = now + limits.reportMs
  end
  show(name, record, redis.call('HGET', base .. ':maps', name), countsFor(record))
end

local function enter(said)
  local record, before, fetched = known(host), {}, said.transfer
  if record and record.site ~= said.site then
    before = record
    remove(host)
    record = false
  end
  local isNew = not record
  if record and record.boot ~= said.boot then freeAll(record) end
  if isNew then
    record = { began = before.began or fetched and now - fetched.beganMs or now, done = before.done, leeched = before.leeched, leases = {}, blame = {}, counts = false }
    record.down, record.up, record.diskBound = before.down or 0, before.up or 0, before.diskBound or false
  end
  records[host] = record
  record.site, record.boot, record.urls, record.state = said.site, said.boot, said.urls, said.state
  record.down, record.up = math.max(record.down, said.down), math.max(record.up, said.up)
  record.rollout = said.rollout
  if said.state == 'leeching' then record.diskBound = said.diskBound end
  record.leeched = record.leeched or said.state == 'leeching' or fetched ~= nil
  if said.state == 'seeding' and not record.done then record.done = now - (fetched and fetched.endedMs or 0) end
  for _, time in ipairs({ 'hiddenUntil', 'hiddenFarUntil' }) do
    if record[time] and record[time] <= now then record[time], record.blame = nil, {} end
  end
  redis.call('HSET', base .. ':hosts', host, '{}')
  redis.call('ZADD', base .. ':gone', now + said.goneMs, host)
  redis.call('SADD', base .. ':sites', record.site)
  redis.call('SADD', base .. ':in:' .. record.site, host)
  return record, isNew
end

local function announce(said)
  if said.state == 'gone' then
    if known(host) then tell(known(host), said) end
    redis.call('HDEL', base .. ':told', host)
    return remove(host)
  end
  local record, isNew = enter(said)
  tell(record, said)
  local counts = countsFor(record)
  show(host, record, said.map, counts)
  for _, kind in ipairs(counts and { 'o', 's' } or {}) do
    for piece, holder in pairs(leased(kind, record.site)) do
      if said.map:byte(piece + 1) == 49 and isOver(record, kind, piece, holder) then
        free(kind, kind == 'o' and '' or record.site, piece, holder == host)
      end
    end
  end
  hear(record, said, isNew)
  for _, name in ipairs(said.blame) do blame(name) end
end
`;

/** Leases for the wished pieces that are still free, and the answer. */
const ANSWER = `
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
    local isCopy = isOrigin and holders(':held', piece) > 0
    wishes = wishes or isOrigin and not isPaused
    if isFree and isOrigin then isFree = not isPaused and not waits and siteMayAsk(record, wish.slots.o) and (not isCopy or mayCopy(record, wish, piece)) end
    if isFree and not isOrigin then
      isFree = holders(':held', piece) > 0 and holders(':held:' .. record.site, piece) == 0
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
    local has = other and other.counts == true and other.site == site and redis.call('HGET', base .. ':maps', name):byte(piece + 1) == 49
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
      if other and (other.counts == true or other.counts and other.site == record.site) then
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

local function keep()
  for name, record in pairs(records) do
    if record then redis.call('HSET', base .. ':hosts', name, cjson.encode(record)) end
  end
  redis.call('HSETNX', base .. ':stats', 'began', now)
  redis.call('ZADD', KEYS[2], now, request.sizeBytes)
  local names = { ':hosts', ':maps', ':gone', ':held', ':sites', ':leechers', ':leases:o', ':ends', ':unseen', ':given', ':told', ':stats' }
  for _, site in ipairs(redis.call('SMEMBERS', base .. ':sites')) do
    for _, name in ipairs({ ':held:', ':who:', ':wish:', ':in:', ':leechers:', ':leases:s:' }) do names[#names + 1] = name .. site end
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
  wants and counted(':held') or {}, wants and counted(':held:' .. record.site) or {},
  request.peers and redis.call('SRANDMEMBER', base .. ':unseen', limits.unseen) or {},
}
`;

/** ARGV[1] is an `AnnounceRequest` as JSON; the answer is read by `readAnswer`. A repeated call changes nothing more. */
export const ANNOUNCE_SCRIPT = STATE + ANNOUNCE + ANSWER;
