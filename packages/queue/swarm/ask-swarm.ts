import type { LeaseFrom } from '#core/swarm/choose-pieces';
import type { LeasePlan } from '#core/swarm/lease-plan';
import {
  leaseMs,
  LEASE_STALL_MS,
  LEECHING_INTERVAL_MS,
  NEEDED_REPORTS,
  PAUSE_MS,
  REPORT_MS,
} from '#core/swarm/lease-time';
import { FIRST_SLOTS } from '#core/swarm/slot-trial';
import { PieceMap } from '#core/swarm/piece-map';
import { HOUR_MS, SECOND_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { swarmKey, swarmSizesKey } from '../keys.ts';
import { ANNOUNCE_SCRIPT } from './announce-script.ts';
import { readAnswer, type SwarmAnswer } from './swarm-answer.ts';

/** One swarm: hosts that say another length of the same file are in another one. */
export interface SwarmFile {
  /** Root CID: version 1, base32. */
  readonly cid: string;
  readonly sizeBytes: number;
}

export interface ReportedLease {
  readonly id: string;
  readonly piece: number;
  readonly from: LeaseFrom;
  readonly status: 'held' | 'done' | 'released' | 'failed';
  readonly bytes: number;
  /** Milliseconds of the pause that the origin asked for; 0 without one. */
  readonly retryMs: number;
}

/** What a host says. */
export interface HostAnnounce {
  readonly site: string;
  /** Of the start of the worker. */
  readonly boot: string;
  /** None: others cannot fetch from it, and its pieces do not count. */
  readonly urls: readonly string[];
  readonly state: 'leeching' | 'seeding' | 'gone';
  readonly map: PieceMap;
  /** The host is gone when it has not announced again after this. */
  readonly goneMs: number;
  /** Bytes per second. */
  readonly down: number;
  readonly up: number;
  readonly diskBound: boolean;
  /** The rollout that it fetches the file for; empty: none. */
  readonly rollout?: string | undefined;
  /** What it took from sources that are no hosts in its present transfer; undefined: what its leases say counts. */
  readonly originBytes?: number | undefined;
  /** Milliseconds for which all sources of the file but hosts are paused, because they asked for it; undefined: one of them is not. */
  readonly originPauseMs?: number | undefined;
  /** When it began and ended to fetch the file, in milliseconds before now; undefined where it did not fetch it. */
  readonly transfer?: { readonly beganMs: number; readonly endedMs?: number | undefined } | undefined;
  readonly reports: readonly ReportedLease[];
  /** Hosts that this one cannot fetch from. */
  readonly blame: readonly string[];
}

export interface SwarmAsk {
  readonly host: string;
  readonly announce?: HostAnnounce | undefined;
  readonly plan?: LeasePlan | undefined;
  /** Other hosts to name: of the own site, and of all. */
  readonly peers?: { readonly near: number; readonly far: number } | undefined;
  /** Whether the answer tells how often each piece is there. */
  readonly counts?: boolean | undefined;
}

/** What all calls say alike. */
const LIMITS = {
  stallMs: LEASE_STALL_MS,
  pauseMs: PAUSE_MS,
  reportMs: REPORT_MS,
  neededReports: NEEDED_REPORTS,
  firstSlots: FIRST_SLOTS.slots,
  /** Hosts that nothing is to be fetched from, of those that one answer names. */
  unseen: 32,
  /** Hosts that want leases and got none are looked at by so many; they ask again within an interval. */
  wishes: 8,
  wishMs: LEECHING_INTERVAL_MS + SECOND_MS / 2,
  /** A swarm that no host announces to is forgotten after this. */
  keptMs: HOUR_MS,
};

const byKind = ({ origin, site }: Readonly<Record<LeaseFrom, number>>) => ({ o: origin, s: site });

const kindOf = (from: LeaseFrom): 'o' | 's' => (from === 'origin' ? 'o' : 's');

/**
 * Tells the swarm of a file what a host says, and leases pieces to it, in one step. The same call twice changes nothing more.
 *
 * @returns undefined for a host that is not in the swarm then
 * @throws Error while Redis is away
 */
export async function askSwarm(
  redis: RedisClient,
  prefix: string,
  file: SwarmFile,
  { host, announce, plan, peers, counts = false }: SwarmAsk,
): Promise<SwarmAnswer | undefined> {
  const { count: pieces, pieceBytes } = new PieceMap(file.sizeBytes);
  const request = {
    ...{ host, limits: LIMITS, pieces, pieceBytes, sizeBytes: file.sizeBytes, peers, counts },
    leaseMs: plan?.leaseMs ?? leaseMs({ pieceBytes, ownMs: undefined, averageMs: undefined }),
    announce: announce && {
      ...announce,
      rollout: announce.rollout ?? '',
      urls: announce.urls.join(' '),
      map: announce.map.digits,
      reports: announce.reports.map(({ from, ...report }) => ({ ...report, kind: kindOf(from) })),
    },
    wish: plan && {
      ...{ most: plan.most, share: byKind(plan.share), slots: byKind(plan.slots), copyBytes: plan.copyBytes },
      pieces: plan.pieces.map(({ piece, from }) => ({ piece, kind: kindOf(from) })),
      next: plan.next.map(({ from, round, slots }) => ({
        kind: kindOf(from),
        round,
        slotsJson: JSON.stringify(slots),
      })),
    },
  };
  const keys = [swarmKey(prefix, file.cid, file.sizeBytes), swarmSizesKey(prefix, file.cid)] as const;
  const reply = await redis.eval(ANNOUNCE_SCRIPT, 2, ...keys, JSON.stringify(request));
  return readAnswer(reply, file.sizeBytes);
}
