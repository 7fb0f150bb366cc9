import { NEEDED_REPORTS, QUARANTINE_MS } from '#core/swarm/lease-time';
import type { RedisClient } from '../connection.ts';
import { swarmQuarantineKey, swarmStrikesKey } from '../keys.ts';

/* KEYS: strikes, quarantine. ARGV: reporter, how long a strike counts, needed reporters. The same reporter counts once. */
const STRIKE_SCRIPT = `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('SET', KEYS[2], 1, 'PX', ARGV[2], 'NX') and 1 or 0`;

/**
 * Notes that a host says that another one sent wrong bytes. Two hosts have to say so within ten minutes, so that no single host can quarantine another.
 *
 * @returns whether this report quarantined it
 */
export async function strike(redis: RedisClient, prefix: string, host: string, reporter: string): Promise<boolean> {
  const keys = [swarmStrikesKey(prefix, host), swarmQuarantineKey(prefix, host)] as const;
  return (await redis.eval(STRIKE_SCRIPT, 2, ...keys, reporter, QUARANTINE_MS, NEEDED_REPORTS)) === 1;
}

/** Whether the host is quarantined now. */
export const isQuarantined = async (redis: RedisClient, prefix: string, host: string): Promise<boolean> =>
  (await redis.exists(swarmQuarantineKey(prefix, host))) === 1;
