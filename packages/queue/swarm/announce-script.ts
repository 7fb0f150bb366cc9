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
      elseif report.bytes > lease.bytes then
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

-- A lease on a copy goes on when a host of another site has the piece.
local function isOver(record, kind, piece, holder)
  local other = known(holder)
  local lease = other and other.leases[kind .. ':' .. piece]
  return not (lease and lease.copy) or other.site == record.site
end

local function blame(name)
  local record = name ~= host and known(name)
  if not record then return end
  record.blame[host] = now
  local count = 0
  for reporter, at in pairs(record.blame) do
    if now - at > limits.reportMs or not known(reporter) then record.blame[reporter] = nil else count = count + 1 end
  end
  if count < math.min(limits.neededReports, redis.call('HLEN', base .. ':hosts') - 1) then return end
  record.hiddenUntil = now + limits.reportMs
  show(name, record, redis.call('HGET', base .. ':maps', name), false)
  redis.call('SREM', base .. ':leechers', name)
end

local function enter(said)
  local record, before = known(host), {}
  if record and record.site ~= said.site then
    before = record
    remove(host)
    record = false
  end
  local isNew = not record
  if record and record.boot ~= said.boot then freeAll(record) end
  if isNew then
    record = { began = before.began or now, done = before.done, leeched = before.leeched, leases = {}, blame = {}, counts = false }
    record.down, record.up, record.diskBound = before.down or 0, before.up or 0, before.diskBound or false
  end
  records[host] = record
  record.site, record.boot, record.urls, record.state = said.site, said.boot, said.urls, said.state
  record.down, record.up = math.max(record.down, said.down), math.max(record.up, said.up)
  record.rollout = said.rollout
  if said.state == 'leeching' then record.diskBound = said.diskBound end
  record.leeched = record.leeched or said.state == 'leeching'
  if said.state == 'seeding' and not record.done then record.done = now end
  if record.hiddenUntil and record.hiddenUntil <= now then record.hiddenUntil, record.blame = nil, {} end
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
  local counts = said.urls ~= '' and not record.hiddenUntil
  redis.call(counts and said.state == 'leeching' and 'SADD' or 'SREM', base .. ':leechers', host)
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

local function grant(wish)
  local record = known(host)
  if not record then return end
  if wish.round and (redis.call('HGET', base .. ':stats', 'round') or '0') == wish.round then
    redis.call('HSET', base .. ':stats', 'round', wish.round + 1, 'roundAt', now, 'roundLeases', 0, 'roundMs', 0, 'slots', wish.slotsJson)
  end
  local all, own = 0, 0
  for key in pairs(record.leases) do
    all = all + 1
    if key:sub(1, 1) == 'o' then own = own + 1 end
  end
  local isPaused = now < tonumber(redis.call('HGET', base .. ':stats', 'pausedUntil') or 0)
  for _, choice in ipairs(wish.pieces) do
    local kind, piece = choice.kind, choice.piece
    local isOrigin = kind == 'o'
    local isFree = all < wish.most and redis.call('HEXISTS', leases(kind, record.site), piece) == 0
      and redis.call('HLEN', leases(kind, record.site)) < (isOrigin and wish.slots or limits.siteSlots)
    local isCopy = isOrigin and holders(':held', piece) > 0
    if isFree and isOrigin then isFree = own < wish.share and not isPaused and (not isCopy or mayCopy(record, wish, piece)) end
    if isFree and not isOrigin then
      isFree = holders(':held', piece) > 0 and holders(':held:' .. record.site, piece) == 0
        and redis.call('HEXISTS', leases('o'), piece) == 0
    end
    if isFree then
      give(record, kind, piece, kind .. piece .. '.' .. string.format('%.0f', now), isCopy)
      all = all + 1
      if isOrigin then own = own + 1 end
    end
  end
end

local function peers(wanted)
  local record, told, found = known(host), { [host] = true }, {}
  if not record then return found end
  local near = redis.call('SRANDMEMBER', base .. ':in:' .. record.site, wanted.near)
  for _, names in ipairs({ near, redis.call('HRANDFIELD', base .. ':hosts', wanted.far) }) do
    for _, name in ipairs(names) do
      local other = not told[name] and known(name)
      if other and other.counts then
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
  local names = { ':hosts', ':maps', ':gone', ':held', ':sites', ':leechers', ':leases:o', ':ends', ':told', ':stats' }
  for _, site in ipairs(redis.call('SMEMBERS', base .. ':sites')) do
    for _, name in ipairs({ ':held:', ':in:', ':leases:s:' }) do names[#names + 1] = name .. site end
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
  string.format('%.0f', now), cjson.encode(record), redis.call('HGETALL', base .. ':stats'), redis.call('SCARD', base .. ':leechers'), others,
  wants and redis.call('HKEYS', leases('o')) or {}, wants and redis.call('HKEYS', leases('s', record.site)) or {},
  wants and counted(':held') or {}, wants and counted(':held:' .. record.site) or {},
}
`;

/** ARGV[1] is an `AnnounceRequest` as JSON; the answer is read by `readAnswer`. A repeated call changes nothing more. */
export const ANNOUNCE_SCRIPT = STATE + ANNOUNCE + ANSWER;
