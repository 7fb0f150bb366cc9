import { SECOND_MS } from '#core/units';
import type { Cluster, Redis } from 'ioredis';
import { isCluster, type RedisClient } from './connection.ts';
import { redisRefusal } from './refusal.ts';

export interface RedisCheck {
  /** Undefined where this user may not ask. */
  readonly version: string | undefined;
  /** Redis minus this machine; milliseconds. */
  readonly clockSkewMs: number;
  /** What works but is not safe for production, as sentences. */
  readonly warnings: readonly string[];
}

const OLDEST_VERSION = [6, 2];
const MAX_CLOCK_SKEW_MS = 5 * SECOND_MS;

/**
 * Looks whether this Redis can carry jobs (docs/rules/queues.md).
 *
 * @throws Error that says what to change, when Redis may evict keys (locks carry a TTL, so even the volatile-*
 * policies would) or is older than 6.2; of a cluster, when that is so of a master, or no master answers
 */
export const checkRedis = (redis: RedisClient): Promise<RedisCheck> =>
  isCluster(redis) ? checkCluster(redis) : checkServer(redis);

/** A cluster serves some hosts while a master is away, so that is a warning. */
async function checkCluster(cluster: Cluster): Promise<RedisCheck> {
  await cluster.ping();
  const checks = await Promise.allSettled(cluster.nodes('master').map(checkServer));
  const done = checks.flatMap((check) => (check.status === 'fulfilled' ? [check.value] : []));
  const failures = checks.flatMap((check) => (check.status === 'rejected' ? [check.reason as Error] : []));
  const fault = failures.find((error) => error instanceof UnfitRedisError) ?? (done.length === 0 && failures[0]);
  if (fault) throw fault;
  const own = await Promise.all([slotWarnings(cluster), coverageWarnings(cluster)]);
  return {
    version: done[0]?.version,
    clockSkewMs: done.map(({ clockSkewMs }) => clockSkewMs).reduce(farther, 0),
    warnings: [...new Set([...own.flat(), ...done.flatMap(({ warnings }) => warnings)])],
  };
}

const farther = (one: number, other: number): number => (Math.abs(other) > Math.abs(one) ? other : one);

const SLOTS = 16_384;

async function slotWarnings(cluster: Cluster): Promise<string[]> {
  const info = await cluster.cluster('INFO').catch(() => '');
  const served = parseInfo(String(info)).get('cluster_slots_ok');
  if (served === undefined || Number(served) === SLOTS) return [];
  return [
    `${SLOTS - Number(served)} of ${SLOTS} slots of the redis cluster are not served: hosts of their shards wait`,
  ];
}

/** Where one lost master makes a whole cluster refuse all commands, its hosts are not the only ones that wait. */
async function coverageWarnings(cluster: Cluster): Promise<string[]> {
  const reply = await cluster.config('GET', 'cluster-require-full-coverage').catch(() => []);
  if (!Array.isArray(reply) || reply[1] !== 'yes') return [];
  return [
    'the redis cluster refuses all commands while one shard is away: set "cluster-require-full-coverage no", so that only the hosts of that shard wait',
  ];
}

/** This Redis must not carry jobs until it is set up in another way. */
class UnfitRedisError extends Error {
  override readonly name = 'UnfitRedisError';
}

async function checkServer(redis: Redis): Promise<RedisCheck> {
  const facts = parseInfo(await infoOf(redis));
  const version = facts.get('redis_version');
  if (version !== undefined) refuseOldVersion(version);
  refuseEviction(facts.get('maxmemory_policy'));
  const clockSkewMs = await measureClockSkewMs(redis);
  return { version, clockSkewMs, warnings: [...durabilityWarnings(facts), ...clockWarnings(clockSkewMs)] };
}

/** The ACL user of a worker may be denied INFO; the API's user is allowed and makes the check. */
async function infoOf(redis: Redis): Promise<string> {
  try {
    return await redis.info();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return '';
    const refusal = redisRefusal(redis, error);
    throw refusal === undefined ? error : new Error(refusal, { cause: error });
  }
}

/** @returns the `name:value` lines of INFO */
export function parseInfo(info: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}

function refuseOldVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [needMajor = 0, needMinor = 0] = OLDEST_VERSION;
  if (major < needMajor || (major === needMajor && minor < needMinor))
    throw new UnfitRedisError(`Redis is version ${version}: install ${OLDEST_VERSION.join('.')} or newer`);
}

function refuseEviction(policy: string | undefined): void {
  if (policy !== undefined && policy !== 'noeviction')
    throw new UnfitRedisError(
      `Redis has maxmemory-policy "${policy}" and would evict jobs and their locks when memory is short: ` +
        'run "redis-cli CONFIG SET maxmemory-policy noeviction", write "maxmemory-policy noeviction" into its configuration, ' +
        'and use it for no cache beside',
    );
}

function durabilityWarnings(facts: Map<string, string>): string[] {
  if (facts.get('aof_enabled') !== '0') return [];
  return [
    'Redis runs without an append-only file: after its crash every job is rebuilt from Postgres; set "appendonly yes" and "appendfsync everysec"',
  ];
}

function clockWarnings(skewMs: number): string[] {
  if (Math.abs(skewMs) < MAX_CLOCK_SKEW_MS) return [];
  return [
    `the clocks of Redis and of this machine differ by ${Math.round(skewMs / SECOND_MS)} s: delayed jobs start early or late; run NTP on both`,
  ];
}

async function measureClockSkewMs(redis: Redis): Promise<number> {
  const before = Date.now();
  const [seconds, microseconds] = await redis.time();
  const middle = (before + Date.now()) / 2;
  return Math.round(Number(seconds) * SECOND_MS + Number(microseconds) / 1000 - middle);
}
