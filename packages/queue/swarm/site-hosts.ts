import type { RedisClient } from '../connection.ts';
import { siteHostsKey } from '../keys.ts';

/* KEYS: hosts. ARGV: host, whether it fetches from outside of the site, how long that counts. The answer counts the asking host in. */
const NOTE_SCRIPT = `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return redis.call('ZCARD', KEYS[1])
end
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('ZCARD', KEYS[1]) + 1`;

/**
 * Notes whether a host fetches from outside of its site now.
 *
 * @param keptMs for how long it counts without a further note
 * @returns hosts of the site that do, the asking one included in any case
 */
export async function noteSiteHost(
  redis: RedisClient,
  prefix: string,
  { site, host, isFetching }: { readonly site: string; readonly host: string; readonly isFetching: boolean },
  keptMs: number,
): Promise<number> {
  return Number(await redis.eval(NOTE_SCRIPT, 1, siteHostsKey(prefix, site), host, isFetching ? 1 : 0, keptMs));
}
