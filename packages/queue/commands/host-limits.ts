import { HostLimits } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import type { RedisClient } from '../connection.ts';

/** A hash from the name of a limit to bytes per second. It never expires, so that a worker finds it at its start. */
export const limitsKey = (prefix: string, host: string): string => `${prefix}:limits:${hostKey(host)}`;
const WORKER = 'worker';
const SOURCE = 'source:';

/** What is to be changed: null takes a limit away, what is left out stays. */
export interface LimitsChange {
  readonly workerBytesPerSecond?: number | null | undefined;
  readonly sources?: Readonly<Record<string, number | null>> | undefined;
}

/** Keeps limits for the worker of a host, each for itself, so that two changes at once both count. @returns all that is set now */
export async function keepHostLimits(
  redis: RedisClient,
  prefix: string,
  host: string,
  { workerBytesPerSecond, sources = {} }: LimitsChange,
): Promise<HostLimits> {
  const key = limitsKey(prefix, host);
  const changes: [field: string, bytesPerSecond: number | null][] = [
    ...(workerBytesPerSecond === undefined ? [] : [[WORKER, workerBytesPerSecond] as [string, number | null]]),
    ...Object.entries(sources).map(([name, rate]): [string, number | null] => [SOURCE + name, rate]),
  ];
  const multi = redis.multi();
  for (const [field, rate] of changes) {
    if (rate === null) multi.hdel(key, field);
    else multi.hset(key, field, rate);
  }
  const replies = await multi.hgetall(key).exec();
  for (const [error] of replies ?? []) if (error) throw error;
  return limitsOf((replies?.at(-1)?.[1] ?? {}) as Record<string, string>);
}

/** @returns all that is set for the worker of a host */
export const readHostLimits = async (redis: RedisClient, prefix: string, host: string): Promise<HostLimits> =>
  limitsOf(await redis.hgetall(limitsKey(prefix, host)));

function limitsOf(hash: Readonly<Record<string, string>>): HostLimits {
  const sources = Object.entries(hash)
    .filter(([field]) => field.startsWith(SOURCE))
    .map(([field, rate]) => [field.slice(SOURCE.length), Number(rate)] as const);
  const worker = hash[WORKER];
  return HostLimits.parse({
    ...(worker === undefined ? {} : { workerBytesPerSecond: Number(worker) }),
    sources: Object.fromEntries(sources),
  });
}
