import type { OriginPause } from '#core/origin-pause';
import { PAUSE_MS } from '#core/swarm/lease-time';
import type { RedisClient } from '../connection.ts';
import { originPausesKey } from '../keys.ts';

/** Pauses that are kept; of more of them those that end last. */
const MOST_PAUSES = 64;

/*
 * KEYS: pauses. ARGV: longest pause, most pauses, then for each pause its name and its milliseconds. The answer has names and milliseconds, the longest
 * first. A pause is never shortened.
 */
const SHARE_SCRIPT = `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 3, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'GT', now + math.min(ARGV[i + 1], ARGV[1]), ARGV[i])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local found = redis.call('ZREVRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #found, 2 do found[i] = found[i] - now end
return found`;

/**
 * Notes pauses that origins asked a host for.
 *
 * @param asked each counts for five minutes at most; a host that repeats it prolongs it
 * @returns all pauses that some host was asked for and that have not ended
 * @throws Error while Redis is away
 */
export async function shareOriginPauses(
  redis: RedisClient,
  prefix: string,
  asked: readonly OriginPause[],
): Promise<OriginPause[]> {
  const pauses = asked.flatMap(({ origin, bucket = '', ms }) => [`${origin} ${bucket}`, ms]);
  const key = originPausesKey(prefix);
  const flat = (await redis.eval(SHARE_SCRIPT, 1, key, PAUSE_MS, MOST_PAUSES, ...pauses)) as (string | number)[];
  return Array.from({ length: flat.length / 2 }, (_, index) => {
    const [, origin = '', bucket = ''] = /^(\S+) (.*)$/s.exec(String(flat[2 * index]))!;
    return { origin, ...(bucket !== '' && { bucket }), ms: Number(flat[2 * index + 1]) };
  });
}
