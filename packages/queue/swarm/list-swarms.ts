import { HOUR_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { swarmKey, swarmListKey } from '../keys.ts';

/** Swarms that are looked at, those that were announced to last. */
const MOST_SWARMS = 1000;

export interface SwarmCounts {
  readonly cid: string;
  readonly sizeBytes: number;
  readonly hosts: number;
  /** Hosts that fetch the file and that others can fetch from. */
  readonly leechers: number;
  readonly originLeases: number;
  readonly originBytes: number;
  /** Of the last note; milliseconds since 1970. */
  readonly announcedAt: number;
}

/** Notes that hosts announced to swarms. @param now milliseconds since 1970 */
export async function noteSwarms(
  redis: RedisClient,
  prefix: string,
  swarms: readonly { readonly cid: string; readonly sizeBytes: number }[],
  now: number,
): Promise<void> {
  if (swarms.length === 0) return;
  const key = swarmListKey(prefix);
  const members = swarms.flatMap(({ cid, sizeBytes }) => [now, `${cid} ${sizeBytes}`]);
  await redis.zadd(key, ...members);
  await redis.zremrangebyscore(key, '-inf', now - HOUR_MS);
}

/** Of several processes that ask at about the same time one may look at the swarms of rollouts. @param ms until the next one may */
export const mayFollowSwarms = async (redis: RedisClient, prefix: string, ms: number): Promise<boolean> =>
  (await redis.set(`${swarmListKey(prefix)}:followed`, 1, 'PX', ms, 'NX')) !== null;

/** Swarms with hosts: those that most hosts fetch first, then those that were announced to last. */
export async function listSwarms(redis: RedisClient, prefix: string): Promise<SwarmCounts[]> {
  const flat = await redis.zrevrange(swarmListKey(prefix), 0, MOST_SWARMS - 1, 'WITHSCORES');
  const named = Array.from({ length: flat.length / 2 }, (_, index) => {
    const [cid = '', size = ''] = flat[2 * index]!.split(' ');
    return { cid, sizeBytes: Number(size), announcedAt: Number(flat[2 * index + 1]) };
  });
  const counted = await Promise.all(named.map((swarm) => countsOf(redis, prefix, swarm)));
  return counted
    .filter(({ hosts }) => hosts > 0)
    .sort((a, b) => b.leechers - a.leechers || b.announcedAt - a.announcedAt);
}

async function countsOf(
  redis: RedisClient,
  prefix: string,
  swarm: Pick<SwarmCounts, 'cid' | 'sizeBytes' | 'announcedAt'>,
): Promise<SwarmCounts> {
  const base = swarmKey(prefix, swarm.cid, swarm.sizeBytes);
  const [hosts, leechers, originLeases, originBytes] = await Promise.all([
    redis.hlen(`${base}:hosts`),
    redis.scard(`${base}:leechers`),
    redis.hlen(`${base}:leases:o`),
    redis.hget(`${base}:stats`, 'originBytes'),
  ]);
  return { ...swarm, hosts, leechers, originLeases, originBytes: Number(originBytes ?? 0) };
}
