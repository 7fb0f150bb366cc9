import type { LeaseFrom, PieceCounts } from '#core/swarm/choose-pieces';
import type { LeaseRound } from '#core/swarm/lease-plan';
import { FIRST_SLOTS, type SlotTrial } from '#core/swarm/slot-trial';
import { PieceMap } from '#core/swarm/piece-map';
import { parseJson } from '#core/text/parse-json';

/** A host as the swarm of a file knows it; times are milliseconds by the clock of Redis. */
export interface SwarmRecord {
  readonly site: string;
  /** Separated by spaces. */
  readonly urls: string;
  readonly state: 'leeching' | 'seeding';
  readonly began: number;
  /** When it was first seen to have the whole file. */
  readonly done?: number;
  /** It fetched the file here; a host that had it from the beginning did not. */
  readonly leeched: boolean;
  /** The most that it reported; bytes per second. */
  readonly down: number;
  readonly up: number;
  /** While it fetched the file. */
  readonly diskBound: boolean;
  /** The rollout that it fetched the file for; empty: none. */
  readonly rollout: string;
  /** Hosts of its own site could not fetch from it; then no host can. */
  readonly hiddenUntil?: number;
  /** No host of another site can fetch from it. */
  readonly hiddenFar?: boolean;
  /** Average time of its leases; milliseconds. */
  readonly own?: number;
  /** By `o:` or `s:` and the piece. */
  readonly leases: Readonly<
    Record<string, { readonly id: string; readonly at: number; readonly bytes: number; readonly ends: number }>
  >;
}

export interface HeldLease {
  readonly id: string;
  readonly piece: number;
  readonly from: LeaseFrom;
  readonly sinceMs: number;
  readonly endsInMs: number;
  readonly bytes: number;
}

export interface NamedPeer {
  readonly host: string;
  readonly site: string;
  readonly urls: readonly string[];
  readonly map: PieceMap;
}

export interface SwarmAnswer {
  readonly leases: readonly HeldLease[];
  readonly isHidden: boolean;
  readonly isHiddenFar: boolean;
  readonly ownMs: number | undefined;
  readonly averageMs: number | undefined;
  readonly leechers: number;
  readonly siteLeechers: number;
  readonly peers: readonly NamedPeer[];
  /** Hosts that nothing is to be fetched from; some of them. */
  readonly unseen: readonly string[];
  readonly counts: PieceCounts;
  readonly isPaused: boolean;
  /** Of the leases on the origin, and of those of the site of this host. */
  readonly rounds: Readonly<Record<LeaseFrom, LeaseRound>>;
  /** What left the origin, or is leased, although other sites had it: for the rollout of this host. */
  readonly copiedBytes: number;
}

type Reply = readonly [
  ...[now: string, record: string, stats: string[], leechers: number, siteLeechers: number, peers: string[]],
  ...[originLeases: string[], siteLeases: string[], holders: number[], siteHolders: number[]],
  ...[unseen: string[]],
];

/** Reads what `ANNOUNCE_SCRIPT` answers; undefined for a host that is not in the swarm. */
export function readAnswer(reply: unknown, sizeBytes: number): SwarmAnswer | undefined {
  if ((reply as unknown[]).length === 0) return undefined;
  const [nowText, json, flat, leechers, siteLeechers, peers, ...pieces] = reply as Reply;
  const [originLeases, siteLeases, holders, siteHolders, unseen] = pieces;
  const nowMs = Number(nowText);
  const record = parseJson(json) as SwarmRecord;
  const stats = statsOf(flat);
  return {
    leases: leasesOf(record, nowMs),
    isHidden: record.urls === '' || record.hiddenUntil !== undefined,
    isHiddenFar: record.hiddenFar === true,
    ownMs: record.own,
    averageMs: stats.pieceMs === undefined ? undefined : Number(stats.pieceMs),
    ...{ leechers, siteLeechers },
    unseen,
    peers: peersOf(peers, sizeBytes),
    counts: { holders, siteHolders, originLeases: numbersOf(originLeases), siteLeases: numbersOf(siteLeases) },
    isPaused: Number(stats.pausedUntil ?? 0) > nowMs,
    rounds: { origin: roundOf(stats, ''), site: roundOf(stats, `@${record.site}`) },
    copiedBytes: Number(stats[`copied:${record.rollout}`] ?? 0),
  };
}

function roundOf(stats: Record<string, string | undefined>, of: string): LeaseRound {
  const [slots, leases = '0', totalMs = '0'] = ['slots', 'roundLeases', 'roundMs'].map((name) => stats[name + of]);
  return {
    ...{ number: stats[`round${of}`] ?? '0', leases: Number(leases), totalMs: Number(totalMs) },
    slots: slots === undefined ? FIRST_SLOTS : (parseJson(slots) as SlotTrial),
  };
}

const numbersOf = (texts: readonly string[]): ReadonlySet<number> => new Set(texts.map(Number));

function statsOf(flat: readonly string[]): Record<string, string | undefined> {
  const stats: Record<string, string | undefined> = {};
  for (let at = 0; at < flat.length; at += 2) stats[flat[at]!] = flat[at + 1];
  return stats;
}

/** The leases of a host, in the order of the pieces. */
export const leasesOf = ({ leases }: SwarmRecord, nowMs: number): HeldLease[] =>
  Object.entries(leases)
    .map(([key, { id, at, bytes, ends }]): HeldLease => ({
      ...{ id, bytes, piece: Number(key.slice(2)), from: key.startsWith('o') ? 'origin' : 'site' },
      ...{ sinceMs: Math.max(0, nowMs - at), endsInMs: Math.max(0, Math.round(ends - nowMs)) },
    }))
    .sort((a, b) => a.piece - b.piece);

function peersOf(flat: readonly string[], sizeBytes: number): NamedPeer[] {
  const peers: NamedPeer[] = [];
  for (let at = 0; at < flat.length; at += 4) {
    const [host, site, urls, digits] = flat.slice(at, at + 4) as [string, string, string, string];
    peers.push({ host, site, urls: urls.split(' '), map: PieceMap.ofDigits(digits, sizeBytes) });
  }
  return peers;
}
