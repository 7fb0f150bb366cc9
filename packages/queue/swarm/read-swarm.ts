import { parseJson } from '#core/text/parse-json';
import type { RedisClient } from '../connection.ts';
import { swarmKey, swarmSizesKey } from '../keys.ts';
import type { SwarmRecord } from './swarm-answer.ts';

/** Everything that is known of one swarm. */
export interface SwarmState {
  readonly sizeBytes: number;
  /** By the clock of Redis, milliseconds. */
  readonly nowMs: number;
  readonly hosts: readonly { readonly host: string; readonly record: SwarmRecord; readonly digits: string }[];
  /** First announce, first lease on the origin and last piece from it. */
  readonly beganAt: number;
  readonly originFrom: number;
  readonly originAt: number;
  /** What came from the origin by leases. */
  readonly originBytes: number;
  /** What entered each site by leases. */
  readonly siteBytes: ReadonlyMap<string, number>;
}

const INTO = 'into:';

/**
 * Of several lengths that hosts say the file has, that of the most hosts.
 *
 * @returns undefined for a file without hosts
 */
export async function readSwarm(redis: RedisClient, prefix: string, cid: string): Promise<SwarmState | undefined> {
  const sizes = (await redis.zrange(swarmSizesKey(prefix, cid), '0', '-1')).map(Number);
  const counts = await Promise.all(sizes.map((size) => redis.hlen(`${swarmKey(prefix, cid, size)}:hosts`)));
  const most = Math.max(0, ...counts);
  const sizeBytes = sizes[counts.indexOf(most)];
  if (most === 0 || sizeBytes === undefined) return undefined;
  const base = swarmKey(prefix, cid, sizeBytes);
  const replies = await redis
    .multi()
    .hgetall(`${base}:hosts`)
    .hgetall(`${base}:maps`)
    .hgetall(`${base}:stats`)
    .time()
    .exec();
  const [hosts, maps, stats, [seconds, micros]] = (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  }) as [Record<string, string>, Record<string, string>, Record<string, string>, [string, string]];
  const into = Object.entries(stats).filter(([name]) => name.startsWith(INTO));
  return {
    sizeBytes,
    nowMs: Number(seconds) * 1000 + Math.floor(Number(micros) / 1000),
    hosts: Object.entries(hosts).map(([host, json]) => ({
      ...{ host, record: parseJson(json) as SwarmRecord, digits: maps[host] ?? '' },
    })),
    beganAt: Number(stats.began),
    originFrom: Number(stats.originFrom ?? 0),
    originAt: Number(stats.originAt ?? 0),
    originBytes: Number(stats.originBytes ?? 0),
    siteBytes: new Map(into.map(([name, bytes]) => [name.slice(INTO.length), Number(bytes)])),
  };
}
