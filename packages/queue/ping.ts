import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger } from '#core/logger';
import { parseRedisUrl } from '#core/settings/redis-url';
import { SECOND_MS } from '#core/units';
import { connectPatiently, disconnect, type RedisSettings } from './connection.ts';
import { NO_TLS, redisRefusal } from './refusal.ts';

/**
 * Sends PING to Redis over a connection of its own.
 *
 * @throws Error with a sentence when there is none in time, or when Redis refuses
 */
export async function pingRedis(settings: RedisSettings, timeoutMs = 5 * SECOND_MS): Promise<void> {
  const redis = connectPatiently(settings, 'check', silentLogger);
  const hint = parseRedisUrl(settings.url).tls ? `. ${NO_TLS}` : '';
  let last = `no answer within ${timeoutMs / SECOND_MS} s${hint}`;
  redis.on('error', (error: Error) => (last = error.message));
  const over = new AbortController();
  const late = pause(timeoutMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(last);
  });
  try {
    await Promise.race([redis.ping(), late]);
  } catch (cause) {
    const reason = redisRefusal(redis, cause) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new Error(`Redis does not answer: ${reason}`, { cause });
  } finally {
    over.abort();
    late.catch(() => undefined);
    disconnect(redis);
  }
}
