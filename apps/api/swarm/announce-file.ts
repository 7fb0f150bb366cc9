import type { AnnounceBody, AnnouncedFile, AnsweredFile } from '#contracts/swarm';
import { hostKey } from '#core/text/host-name';
import { planLeases, reasonOf, type WaitReason } from '#core/swarm/lease-plan';
import { MISSED_INTERVALS } from '#core/swarm/lease-time';
import { PieceMap } from '#core/swarm/piece-map';
import { SECOND_MS } from '#core/units';
import { askSwarm, type HostAnnounce, type SwarmAsk } from '#queue/swarm/ask-swarm';
import type { SwarmAnswer } from '#queue/swarm/swarm-answer';
import type { FetchableFile } from '#database/hosts/swarm-hosts';
import type { Dependencies } from '../dependencies.ts';
import type { Announcer } from './announcer.ts';

/** Hosts that one host is told of: most of its own site, and some of all, so that no part of the swarm is cut off. */
const PEERS = { near: 17, far: 7 };
/** Beside them those that have what was leased just now. */
const OF_LEASES = { near: 0, far: 0 };

export interface FileAnnounce {
  readonly announcer: Announcer;
  readonly body: AnnounceBody;
  readonly file: AnnouncedFile;
  /** What the host may fetch it for. */
  readonly allowed: FetchableFile;
  readonly intervalMs: number;
  readonly isQuarantined: boolean;
}

type TrackerDeps = Pick<Dependencies, 'queues' | 'prefix'>;

/** Hears what a host says of one file, and gives it leases and peers. */
export async function announceFile(deps: TrackerDeps, announce: FileAnnounce): Promise<AnsweredFile> {
  const { file, announcer, isQuarantined, allowed } = announce;
  const map = PieceMap.parse(file.have, file.sizeBytes)!;
  const ask = (what: Omit<SwarmAsk, 'host'>): Promise<SwarmAnswer | undefined> =>
    askSwarm(deps.queues.redis, deps.prefix, file, { host: announcer.host, ...what });
  const isLeeching = file.state === 'leeching';
  const heard = await ask({
    announce: said(announce, map),
    peers: isLeeching ? PEERS : undefined,
    counts: isLeeching && file.want > 0,
  });
  if (heard === undefined) return { cid: file.cid, leases: [], peers: [], leave: [], wait: null };
  const { answer, wait } = isLeeching ? await lease(ask, heard, { file, map, allowed }) : { answer: heard, wait: null };
  return {
    cid: file.cid,
    leases: answer.leases.map(({ id, piece, from, endsInMs }) => ({ id, piece, from, endsInMs })),
    leave: heard.unseen.filter((host) => host !== announcer.host),
    peers: peersOf([...answer.peers, ...heard.peers], announcer.site),
    wait: wait === 'hidden' && isQuarantined ? 'quarantined' : wait,
  };
}

function said(announce: FileAnnounce, map: PieceMap): HostAnnounce {
  const { announcer, body, file, allowed, intervalMs, isQuarantined } = announce;
  const { downBytesPerSecond: down = 0, upBytesPerSecond: up = 0 } = body.rate ?? {};
  return {
    ...{ site: announcer.site, boot: body.boot, state: file.state, map, down, up, diskBound: body.diskBound },
    ...{ rollout: allowed.rollout ?? '', originBytes: file.originBytes, transfer: file.transfer },
    originPauseMs: isQuarantined ? undefined : file.originPauseMs,
    // A quarantined host may fetch, and no other host fetches from it.
    urls: isQuarantined ? [] : body.urls,
    goneMs: MISSED_INTERVALS * intervalMs + SECOND_MS,
    reports: file.leases.map(({ bytes = 0, retryAfterMs: retryMs = 0, ...lease }) => ({ ...lease, bytes, retryMs })),
    blame: [...new Set(file.blame.map(({ host }) => hostKey(host)))],
  };
}

interface Leased {
  readonly answer: SwarmAnswer;
  readonly wait: WaitReason | null;
}

async function lease(
  ask: (what: Omit<SwarmAsk, 'host'>) => Promise<SwarmAnswer | undefined>,
  heard: SwarmAnswer,
  { file, map, allowed }: Pick<FileAnnounce, 'file' | 'allowed'> & { readonly map: PieceMap },
): Promise<Leased> {
  const { want } = file;
  if (heard.leases.length >= want) return { answer: heard, wait: null };
  const copies = { mostBytes: copyBytes(allowed, file.sizeBytes), copiedBytes: heard.copiedBytes };
  const sight = { ...heard, copies, leases: heard.leases.length, want, has: map.has, pieceBytes: map.pieceBytes };
  const plan = planLeases(sight, Math.random);
  if (typeof plan === 'string') return { answer: heard, wait: plan };
  const answer = (await ask({ plan, peers: OF_LEASES })) ?? heard;
  return { answer, wait: answer.leases.length < want ? reasonOf(sight) : null };
}

/** What may leave the origin although other hosts have it. */
const copyBytes = ({ originCopies }: FetchableFile, sizeBytes: number): number =>
  Math.min(Number.MAX_SAFE_INTEGER, (originCopies - 1) * sizeBytes);

/** Hosts of the own site first. */
const peersOf = (peers: SwarmAnswer['peers'], ownSite: string): AnsweredFile['peers'] =>
  [...new Map(peers.map((peer) => [peer.host, peer])).values()]
    .sort((a, b) => Number(b.site === ownSite) - Number(a.site === ownSite))
    .map(({ host, urls, site, map }) => ({ host, urls: [...urls], site, have: map.toString() }));
