import type { SwarmView } from '#contracts/swarm';
import { PieceMap } from '#core/swarm/piece-map';
import { rarestOf, replicationOf, swarmBound, type Bottleneck } from '#core/swarm/swarm-bound';
import { SECOND_MS } from '#core/units';
import type { SwarmState } from '#queue/swarm/read-swarm';
import { leasesOf, type SwarmRecord } from '#queue/swarm/swarm-answer';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

const MAX_RAREST = 10;

/** The swarm of a file as the API shows it. */
export function swarmView(cid: string, swarm: SwarmState): SwarmView {
  const { sizeBytes, nowMs, originBytes } = swarm;
  const hosts = [...swarm.hosts].sort((a, b) => (a.host < b.host ? -1 : 1));
  const maps = hosts.map(({ digits }) => PieceMap.ofDigits(digits, sizeBytes));
  const { pieceBytes, count: pieces } = new PieceMap(sizeBytes);
  const shown = maps.filter((_, index) => !isHidden(hosts[index]!.record));
  const holders = Array.from({ length: pieces }, (_, piece) => shown.filter((map) => map.has(piece)).length);
  return {
    ...{ cid, sizeBytes, pieceBytes, pieces },
    hosts: hosts.map(({ host, record }, index) => hostView(host, record, maps[index]!)),
    leases: hosts.flatMap(({ host, record }) =>
      leasesOf(record, nowMs).map(({ id: _, ...lease }) => ({ host, site: record.site, ...lease })),
    ),
    ...{ replication: replicationOf(holders), rarest: rarestOf(holders, MAX_RAREST) },
    originCopies: originBytes / sizeBytes,
    sites: sitesOf(swarm),
    ...timesOf(swarm),
  };
}

const isHidden = ({ urls, hiddenUntil }: SwarmRecord): boolean => urls === '' || hiddenUntil !== undefined;

const hostView = (host: string, record: SwarmRecord, map: PieceMap): SwarmView['hosts'][number] => ({
  ...{ host, site: record.site, state: record.state, diskBound: record.diskBound },
  ...{ heldPieces: map.heldCount, have: map.toString(), leases: Object.keys(record.leases).length },
  isHidden: isHidden(record),
  beganAt: momentOf(new Date(record.began)),
  doneAt: momentOrNull(record.done === undefined ? null : new Date(record.done)),
  ...{ downBytesPerSecond: record.down, upBytesPerSecond: record.up },
});

function sitesOf({ hosts, siteBytes, sizeBytes }: SwarmState): SwarmView['sites'] {
  const names = [...new Set(hosts.map(({ record }) => record.site))].sort();
  return names.map((site) => ({
    site,
    hosts: hosts.filter(({ record }) => record.site === site).length,
    copies: (siteBytes.get(site) ?? 0) / sizeBytes,
  }));
}

interface Times {
  readonly elapsedMs: number;
  readonly boundMs: number | null;
  readonly timesBound: number | null;
  readonly bottleneck: Bottleneck | null;
}

/** Only hosts that fetched the file count; those that had it gave it from the beginning. */
function timesOf({ hosts, nowMs, sizeBytes, originBytes, originFrom, originAt, siteBytes }: SwarmState): Times {
  const fetching = hosts.map(({ record }) => record).filter(({ leeched }) => leeched);
  const began = Math.min(...fetching.map((record) => record.began));
  const end = Math.max(...fetching.map(({ done }) => done ?? nowMs));
  const elapsedMs = fetching.length === 0 ? 0 : Math.max(0, end - began);
  const originMs = originAt - originFrom;
  const perSecond = (bytes: number, ms: number): number => (ms > 0 ? (bytes * SECOND_MS) / ms : 0);
  const found = swarmBound({
    sizeBytes,
    origin: perSecond(originBytes, originMs),
    sites: [...siteBytes.values()].map((bytes) => perSecond(bytes, elapsedMs)),
    hosts: fetching,
  });
  return {
    elapsedMs,
    boundMs: found === undefined ? null : Math.round(found.boundMs),
    timesBound: found === undefined ? null : elapsedMs / found.boundMs,
    bottleneck: found?.bottleneck ?? null,
  };
}
