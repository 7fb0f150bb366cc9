import type { SwarmView } from '#contracts/swarm-view';
import { PieceMap } from '#core/swarm/piece-map';
import { rarestOf, replicationOf } from '#core/swarm/swarm-bound';
import type { SwarmState } from '#queue/swarm/read-swarm';
import { leasesOf, type SwarmRecord } from '#queue/swarm/swarm-answer';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';
import { swarmTimes } from './swarm-times.ts';

const MAX_RAREST = 10;

/** The swarm of a file as the API shows it. */
export function swarmView(cid: string, swarm: SwarmState, files: SwarmView['files']): SwarmView {
  const { sizeBytes, nowMs, origin } = swarm;
  const hosts = [...swarm.hosts].sort((a, b) => (a.host < b.host ? -1 : 1));
  const maps = hosts.map(({ host }) => PieceMap.ofDigits(swarm.digits.get(host) ?? '', sizeBytes));
  const { pieceBytes, count: pieces } = new PieceMap(sizeBytes);
  const shown = maps.filter((_, index) => !isHidden(hosts[index]!.record));
  const holders = Array<number>(pieces).fill(0);
  for (const map of shown) for (let piece = 0; piece < pieces; piece += 1) if (map.has(piece)) holders[piece]! += 1;
  return {
    ...{ cid, files, sizeBytes, pieceBytes, pieces },
    hosts: hosts.map(({ host, record }, index) => hostView(host, record, maps[index]!)),
    leases: hosts.flatMap(({ host, record }) =>
      leasesOf(record, nowMs).map(({ id: _, ...lease }) => ({ host, site: record.site, ...lease })),
    ),
    ...{ replication: replicationOf(holders), rarest: rarestOf(holders, MAX_RAREST) },
    originCopies: origin.bytes / sizeBytes,
    originPausedMs: Math.max(0, swarm.originPausedUntil - nowMs),
    sites: sitesOf(swarm),
    ...swarmTimes(
      hosts.map(({ record }) => record),
      sizeBytes,
      nowMs,
      swarm,
    ),
  };
}

/** No host can fetch from it. */
const isHidden = ({ urls, hiddenUntil }: SwarmRecord): boolean => urls === '' || hiddenUntil !== undefined;

const hostView = (host: string, record: SwarmRecord, map: PieceMap): SwarmView['hosts'][number] => ({
  ...{ host, site: record.site, state: record.state, diskBound: record.diskBound },
  ...{ heldPieces: map.heldCount, have: map.toString(), leases: Object.keys(record.leases).length },
  isHidden: isHidden(record) || record.hiddenFar === true,
  beganAt: momentOf(new Date(record.began)),
  doneAt: momentOrNull(record.done === undefined ? null : new Date(record.done)),
  ...{ downBytesPerSecond: record.down, upBytesPerSecond: record.up },
});

function sitesOf({ hosts, sites, sizeBytes }: SwarmState): SwarmView['sites'] {
  const names = [...new Set(hosts.map(({ record }) => record.site))].sort();
  return names.map((site) => ({
    site,
    hosts: hosts.filter(({ record }) => record.site === site).length,
    copies: (sites.get(site)?.bytes ?? 0) / sizeBytes,
  }));
}
