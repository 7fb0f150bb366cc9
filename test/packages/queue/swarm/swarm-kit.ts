import { planLeases } from '#core/swarm/lease-plan';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB, MINUTE_MS } from '#core/units';
import { swarmKey } from '#queue/keys';
import { askSwarm, type HostAnnounce, type ReportedLease, type SwarmFile } from '#queue/swarm/ask-swarm';
import type { HeldLease, SwarmAnswer, SwarmRecord } from '#queue/swarm/swarm-answer';
import { seededRandom } from '../../../../bench/soak/random.ts';
import type { TestRedis } from '../../../helpers/redis.ts';

const random = seededRandom(20_261_130);

/** A host that announces one file, with a clock and limits that a test may change. */
export class AnnouncingHost {
  readonly name: string;
  readonly map: PieceMap;
  site = '';
  boot = 'first';
  urls: readonly string[] = ['http://10.0.0.1:7430'];
  want = 2;
  originCopies = 1;
  rollout = '';
  goneMs = 10 * MINUTE_MS;
  /** Overrides what the plan says. */
  leaseMs: number | undefined;
  leases: readonly HeldLease[] = [];
  readonly #file: SwarmFile;
  readonly #test: Pick<TestRedis, 'redis' | 'settings'>;

  constructor(test: Pick<TestRedis, 'redis' | 'settings'>, name: string, file: SwarmFile) {
    this.#test = test;
    this.name = name;
    this.#file = file;
    this.map = new PieceMap(file.sizeBytes);
  }

  /** Announces, and takes leases as the tracker gives them. */
  async announce(more: Partial<HostAnnounce> = {}): Promise<SwarmAnswer> {
    const heard = await this.#ask({ announce: this.#said(more), peers: { near: 17, far: 7 }, counts: true });
    const { map, want } = this;
    const copies = {
      mostBytes: (this.originCopies - 1) * this.#file.sizeBytes,
      copiedBytes: heard!.copiedBytes,
    };
    const sight = { ...heard!, copies, leases: heard!.leases.length, want, has: map.has, pieceBytes: map.pieceBytes };
    const plan = planLeases(sight, random);
    const answer =
      typeof plan === 'string'
        ? heard!
        : (await this.#ask({ plan: { ...plan, leaseMs: this.leaseMs ?? plan.leaseMs }, peers: { near: 0, far: 0 } }))!;
    this.leases = answer.leases;
    return { ...heard!, ...answer, peers: [...answer.peers, ...heard!.peers], counts: heard!.counts };
  }

  /** The pieces of all leases arrive. */
  finish(): Promise<SwarmAnswer> {
    const reports = this.reports('done');
    for (const { piece } of this.leases) this.map.add(piece);
    return this.announce({ reports });
  }

  reports = (status: ReportedLease['status'], bytes = 0): ReportedLease[] =>
    this.leases.map(({ id, piece, from }) => ({ id, piece, from, status, bytes, retryMs: 0 }));

  leave = (more: Partial<HostAnnounce> = {}): Promise<SwarmAnswer | undefined> =>
    this.#ask({ announce: this.#said({ state: 'gone', ...more }) });

  #ask = (ask: Omit<Parameters<typeof askSwarm>[3], 'host'>): Promise<SwarmAnswer | undefined> =>
    askSwarm(this.#test.redis, this.#test.settings.prefix, this.#file, { host: this.name, ...ask });

  #said(more: Partial<HostAnnounce>): HostAnnounce {
    const { site, boot, urls, map, goneMs, rollout } = this;
    const rest = { down: 0, up: 0, diskBound: false, reports: [], blame: [], rollout };
    return { ...{ site, boot, urls, map, goneMs, state: map.isComplete ? 'seeding' : 'leeching' }, ...rest, ...more };
  }
}

/** A file of so many pieces of one mebibyte. */
export const fileOf = (pieces: number): SwarmFile => ({
  cid: `bafybeiswarmofatest${pieces}`,
  sizeBytes: pieces * MIB,
});

/**
 * Changes what Redis knows of the file as if its leases, the last words of its hosts and the pause of its origin were older, because
 * nothing moves the clock of Redis. What arrived on a lease counts as just arrived.
 */
export async function makeOlder(
  { redis, settings }: Pick<TestRedis, 'redis' | 'settings'>,
  { cid, sizeBytes }: SwarmFile,
  ms: number,
): Promise<void> {
  const base = swarmKey(settings.prefix, cid, sizeBytes);
  for (const key of [`${base}:ends`, `${base}:gone`])
    for (const member of await redis.zrange(key, '0', '-1')) await redis.zincrby(key, -ms, member);
  for (const [host, json] of Object.entries(await redis.hgetall(`${base}:hosts`))) {
    const record = JSON.parse(json) as SwarmRecord & { leases: Record<string, { at: number }> };
    for (const lease of Object.values(record.leases)) lease.at -= ms;
    await redis.hset(`${base}:hosts`, host, JSON.stringify(record));
  }
  await redis.hincrby(`${base}:stats`, 'pausedUntil', -ms);
}
