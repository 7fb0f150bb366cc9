import { randomBytes } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { messageOf } from '#core/error-facts';
import { isCluster, type RedisClient } from '../connection.ts';
import { redisRefusal } from '../refusal.ts';
import { userPrefix, workerRules, workerUser, type WorkerAccess } from './worker-rules.ts';

/** Redis cannot keep hosts apart. The message says what it would need. */
export class AccessUnavailableError extends Error {
  override readonly name = 'AccessUnavailableError';
}

/**
 * Gives the worker of a host its user in Redis, or changes it. Connections of the user that exist stay, unless they subscribed to
 * what it may not hear any more.
 *
 * @throws AccessUnavailableError when this Redis or the user of this connection cannot do that
 * @throws Error while Redis is down
 */
export async function setWorkerUser(redis: RedisClient, access: WorkerAccess): Promise<void> {
  const name = workerUser(access.prefix, access.host);
  await run(redis, (node) => node.call('ACL', 'SETUSER', name, ...workerRules(access)));
}

/** Sets many users in few round trips. @throws as `setWorkerUser` */
export async function setWorkerUsers(redis: RedisClient, all: readonly WorkerAccess[]): Promise<void> {
  for (let from = 0; from < all.length; from += USERS_PER_ROUND_TRIP) {
    await run(redis, async (node) => {
      const pipeline = node.pipeline();
      for (const access of all.slice(from, from + USERS_PER_ROUND_TRIP))
        pipeline.call('ACL', 'SETUSER', workerUser(access.prefix, access.host), ...workerRules(access));
      for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    });
  }
}

const USERS_PER_ROUND_TRIP = 200;

/** Takes users away and ends their connections. Safe for users that are not there. */
export async function deleteWorkerUsers(redis: RedisClient, names: readonly string[]): Promise<void> {
  if (names.length > 0) await run(redis, (node) => node.call('ACL', 'DELUSER', ...names));
}

/** @returns names of the users of workers that this Redis has; of a cluster, those that every node has */
export async function listWorkerUsers(redis: RedisClient, prefix: string): Promise<string[]> {
  const [first = [], ...others] = await run(redis, async (node) => (await node.call('ACL', 'USERS')) as string[]);
  return first.filter((name) => name.startsWith(userPrefix(prefix)) && others.every((names) => names.includes(name)));
}

/**
 * Looks whether this Redis can keep hosts apart, by making a user that is off.
 *
 * @throws AccessUnavailableError that says what is missing
 */
export async function probeAccess(redis: RedisClient, prefix: string): Promise<void> {
  const name = `${prefix}:probe:${randomBytes(8).toString('hex')}`;
  const rules = workerRules({ prefix, host: 'probe', mayPool: false, passwordSha256: '0'.repeat(64) });
  await run(redis, (node) => node.call('ACL', 'SETUSER', name, ...rules, 'off'));
  await run(redis, (node) => node.call('ACL', 'DELUSER', name));
}

/**
 * Every start of a Redis, or of a node of a cluster, has its own id; a start forgets the users that were set before. Nodes that joined
 * meanwhile are learned of first: a replica that joins or returns makes no command fail, so ioredis would not ask.
 */
export async function redisRunId(redis: RedisClient): Promise<string> {
  if (isCluster(redis)) await learnNodes(redis);
  const infos = await Promise.all(nodesOf(redis).map((node) => node.info('server')));
  const ids = infos.map((info) => /^run_id:(\S+)/m.exec(info)?.[1] ?? '');
  return ids.toSorted().join();
}

/** Resolves also where no node answers: the next command says so. `slotsRefreshInterval` would start its timer again after a disconnect. */
const learnNodes = (cluster: Cluster): Promise<void> =>
  new Promise((resolve) => {
    cluster.refreshSlotsCache(() => resolve());
  });

/** A cluster does not share users: each node has its own. */
const nodesOf = (redis: RedisClient): readonly Redis[] => (isCluster(redis) ? redis.nodes('all') : [redis]);

async function run<T>(redis: RedisClient, work: (node: Redis) => Promise<T>): Promise<T[]> {
  try {
    return await Promise.all(nodesOf(redis).map(work));
  } catch (cause) {
    const message = messageOf(cause);
    const refusal = redisRefusal(redis, cause);
    if (refusal !== undefined) throw new Error(refusal, { cause });
    if (/NOPERM|unknown (sub)?command|Error in ACL SETUSER modifier/i.test(message))
      throw new AccessUnavailableError(
        `this Redis cannot keep hosts apart (${message}): it takes Redis 7.0 or newer, and REDIS_URL of the API a user that may run ACL`,
        { cause },
      );
    throw cause;
  }
}
