import { parseJson } from '#core/text/parse-json';
import type { RedisClient } from '../connection.ts';
import { swarmKey, swarmSizesKey } from '../keys.ts';
import type { SwarmRecord } from './swarm-answer.ts';

/** Bytes that came from the origin, or entered a site: from the first lease on it until the last of them; by the clock of Redis, milliseconds. */
export interface Inflow {
  readonly bytes: number;
  readonly from: number;
  readonly at: number;
}

/** What is known of one swarm, without the pieces of its hosts. */
export interface SwarmSums {
  readonly sizeBytes: number;
  /** By the clock of Redis, milliseconds. */
  readonly nowMs: number;
  readonly hosts: readonly { readonly host: string; readonly record: SwarmRecord }[];
  readonly origin: Inflow;
  /** No host is given a lease on the origin before this, by the clock of Redis, milliseconds. */
  readonly originPausedUntil: number;
  /** What entered each site from the origin, and by lease from other sites. */
  readonly sites: ReadonlyMap<string, Inflow>;
  /** The same of the hosts that fetch the file for one rollout. */
  readonly ofRollout: (rollout: string) => {
    readonly origin: Inflow;
    readonly sites: ReadonlyMap<string, Inflow>;
  };
}

/** Everything that is known of one swarm. */
export interface SwarmState extends SwarmSums {
  /** By host: one digit for each piece. */
  readonly digits: ReadonlyMap<string, string>;
}

type Stats = Readonly<Record<string, string | undefined>>;

const INTO = 'into:';

/** @returns undefined for a file without hosts */
export async function readSwarm(redis: RedisClient, prefix: string, cid: string): Promise<SwarmState | undefined> {
  const sizeBytes = await sizeOf(redis, prefix, cid);
  if (sizeBytes === undefined) return undefined;
  const [sums, maps] = await Promise.all([
    sumsOf(redis, prefix, cid, sizeBytes),
    redis.hgetall(`${swarmKey(prefix, cid, sizeBytes)}:maps`),
  ]);
  return { ...sums, digits: new Map(Object.entries(maps)) };
}

/** As `readSwarm`, without the pieces: of 2,000 hosts those are megabytes. */
export async function readSwarmSums(redis: RedisClient, prefix: string, cid: string): Promise<SwarmSums | undefined> {
  const sizeBytes = await sizeOf(redis, prefix, cid);
  return sizeBytes === undefined ? undefined : sumsOf(redis, prefix, cid, sizeBytes);
}

/** Of several lengths that hosts say the file has, that of the most hosts. */
async function sizeOf(redis: RedisClient, prefix: string, cid: string): Promise<number | undefined> {
  const sizes = (await redis.zrange(swarmSizesKey(prefix, cid), '0', '-1')).map(Number);
  const counts = await Promise.all(sizes.map((size) => redis.hlen(`${swarmKey(prefix, cid, size)}:hosts`)));
  const most = Math.max(0, ...counts);
  return most === 0 ? undefined : sizes[counts.indexOf(most)];
}

async function sumsOf(redis: RedisClient, prefix: string, cid: string, sizeBytes: number): Promise<SwarmSums> {
  const base = swarmKey(prefix, cid, sizeBytes);
  const replies = await redis.multi().hgetall(`${base}:hosts`).hgetall(`${base}:stats`).time().exec();
  const [hosts, stats, [seconds, micros]] = (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  }) as [Record<string, string>, Record<string, string>, [string, string]];
  return {
    sizeBytes,
    nowMs: Number(seconds) * 1000 + Math.floor(Number(micros) / 1000),
    hosts: Object.entries(hosts).map(([host, json]) => ({ host, record: parseJson(json) as SwarmRecord })),
    origin: inflowOf(stats['originBytes'], stats['originFrom'], stats['originAt']),
    originPausedUntil: Number(stats['pausedUntil'] ?? 0),
    sites: bySite(stats, INTO),
    ofRollout: (rollout) => ({
      origin: inflowOf(stats[`origin:${rollout}`], stats[`origin-from:${rollout}`], stats[`origin-at:${rollout}`]),
      sites: bySite(stats, `into-site:${rollout}:`),
    }),
  };
}

const inflowOf = (bytes = '0', from = '0', at = '0'): Inflow => ({
  ...{ bytes: Number(bytes), from: Number(from), at: Number(at) },
});

const bySite = (stats: Stats, start: string): ReadonlyMap<string, Inflow> =>
  new Map(
    Object.entries(stats).flatMap(([name, bytes]): [string, Inflow][] =>
      name.startsWith(start) && !/@(from|at)$/.test(name)
        ? [[name.slice(start.length), inflowOf(bytes, stats[`${name}@from`], stats[`${name}@at`])]]
        : [],
    ),
  );
