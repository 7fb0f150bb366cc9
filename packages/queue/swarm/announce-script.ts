import { ANSWER } from './answer-script.ts';
import { STATE } from './state-script.ts';

/** What a host says of itself, of its leases and of others. */
const ANNOUNCE = `
-- No host is given a lease on the origin until then. A pause is never shortened.
local function pause(ms)
  local untilMs = now + math.min(ms, limits.pauseMs)
  if untilMs > tonumber(redis.call('HGET', base .. ':stats', 'pausedUntil') or 0) then
    redis.call('HSET', base .. ':stats', 'pausedUntil', untilMs)
  end
end

local function hear(record, said, isNew)
  for _, report in ipairs(said.reports) do
    local kind, piece = report.kind, report.piece
    local site = kind == 'o' and '' or record.site
    local lease = record.leases[kind .. ':' .. piece]
    if lease and lease.id == report.id then
      if report.status ~= 'held' then
        free(kind, site, piece, report.status == 'done' and said.map:byte(piece + 1) == 49)
        if report.retryMs > 0 and kind == 'o' then pause(report.retryMs) end
      elseif report.bytes ~= lease.bytes then
        lease.bytes, lease.moved = report.bytes, now
      elseif now - lease.moved > limits.stallMs then
        free(kind, site, piece, false)
      end
    elseif isNew and report.status == 'held' and redis.call('HEXISTS', leases(kind, site), piece) == 0
      and (kind == 'o' and seen(record.site, piece) or holders(':held:' .. record.site, piece)) == 0 then
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
  return not isHiddenFrom(record, other.site) and not (lease and lease.copy)
end

-- What two hosts of its site cannot fetch from is no use to anybody; what others cannot reach still serves its site, and the sites that reach it.
local function countsFor(record) return record.urls ~= '' and not record.hiddenUntil end

-- Hidden from all by two hosts of its site, and from the sites of those that reported it: by two hosts, or by all hosts of such a site.
local function blame(name)
  local record = name ~= host and known(name)
  if not record then return end
  record.blame[host] = now
  local all, bySite = 0, {}
  for reporter, at in pairs(record.blame) do
    local other = now - at <= limits.reportMs and known(reporter)
    if not other then
      record.blame[reporter] = nil
    else
      all = all + 1
      bySite[other.site] = (bySite[other.site] or 0) + 1
    end
  end
  local mates = redis.call('SCARD', base .. ':in:' .. record.site) - 1
  for site, reports in pairs(bySite) do
    if site == record.site then
      if reports >= math.min(limits.neededReports, mates) then record.hiddenUntil = now + limits.reportMs end
    elseif all >= limits.neededReports or reports >= redis.call('SCARD', base .. ':in:' .. site) then
      record.hiddenFrom = record.hiddenFrom or {}
      record.hiddenFrom[site] = now + limits.reportMs
    end
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
  if record.hiddenUntil and record.hiddenUntil <= now then record.hiddenUntil, record.blame = nil, {} end
  local hiddenFrom = {}
  for site, untilMs in pairs(record.hiddenFrom or {}) do
    if untilMs > now then hiddenFrom[site] = untilMs end
  end
  record.hiddenFrom = next(hiddenFrom) and hiddenFrom
  redis.call('HSET', base .. ':hosts', host, '{}')
  redis.call('ZADD', base .. ':gone', now + said.goneMs, host)
  redis.call('SADD', base .. ':sites', record.site)
  redis.call('SADD', base .. ':in:' .. record.site, host)
  return record, isNew
end

local function announce(said)
  if said.originPauseMs then pause(said.originPauseMs) end
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

/** ARGV[1] is an `AnnounceRequest` as JSON; the answer is read by `readAnswer`. A repeated call changes nothing more. */
export const ANNOUNCE_SCRIPT = STATE + ANNOUNCE + ANSWER;
