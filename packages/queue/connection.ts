import { Redis, type RedisOptions } from 'ioredis';
import { exponentialMs, jitteredMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';

export interface RedisSettings {
  /** `redis://` or, for TLS, `rediss://`; user, password and database number go inside. */
  readonly url: string;
  /** Start of every key, without a colon at its end. */
  readonly prefix: string;
}

export type RedisClient = Redis;

const API_COMMAND_TIMEOUT_MS = 2 * SECOND_MS;
const MAX_RECONNECT_PAUSE_MS = 5 * SECOND_MS;
/** A socket that does not end by itself is destroyed after this. */
const DISCONNECT_TIMEOUT_MS = 500;

/**
 * A connection whose commands wait until Redis is back, for as long as it takes: workers, blocking readers
 * and subscribers.
 *
 * @param role shown by `CLIENT LIST` and in the log
 */
export const connectPatiently = (settings: RedisSettings, role: string, logger: Logger): RedisClient =>
  connect(settings, role, logger, { maxRetriesPerRequest: null });

/**
 * A connection whose commands fail at once while Redis is down, so that an HTTP request never hangs on it: the
 * rows in Postgres are the outbox and a relay tries again.
 */
export const connectImpatiently = (settings: RedisSettings, role: string, logger: Logger): RedisClient =>
  connect(settings, role, logger, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: API_COMMAND_TIMEOUT_MS,
  });

/** What ioredis and BullMQ's wrapper around it have in common. */
interface Disconnectable {
  readonly status: string;
  connect(): Promise<unknown>;
  disconnect(): unknown;
}

/** Ends a connection whatever state it is in; commands that wait are rejected. Safe twice. */
export function disconnect(redis: Disconnectable): void {
  if (redis.status === 'end') return;
  const betweenAttempts = redis.status === 'reconnecting';
  redis.disconnect();
  if (!betweenAttempts) return;
  // ioredis rejects waiting commands only at the end of a connection attempt, so one is started and ended.
  redis.connect().catch(() => undefined);
  redis.disconnect();
}

function connect(
  settings: RedisSettings,
  role: string,
  logger: Logger,
  options: Omit<RedisOptions, 'replyMapping'>,
): RedisClient {
  const redis = new Redis(settings.url, {
    connectionName: `haulier:${role}`,
    retryStrategy: reconnectPauseMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    // Users of workers may not run CLIENT SETINFO: Redis 7.0 has no such command and refuses rules that name it.
    disableClientInfo: true,
    ...options,
  });
  logOutages(redis, role, logger);
  return redis;
}

/** Doubles from 100 ms to 5 s, then spread, so that a fleet does not return in step. */
const reconnectPauseMs = (times: number): number =>
  jitteredMs(exponentialMs(100, times, MAX_RECONNECT_PAUSE_MS), Math.random());

/** Refusals of a Redis that is up, with what to change. They last until an operator changes it. */
const REFUSALS: readonly (readonly [said: RegExp, advice: string])[] = [
  [/NOAUTH/, 'Redis wants a password: write it into REDIS_URL, redis://:password@host:6379'],
  [/WRONGPASS|invalid password/, 'Redis refuses the user name or the password of REDIS_URL: correct them'],
  [/DENIED Redis is running in protected mode/, 'Redis is in protected mode: give it a password, and REDIS_URL too'],
];

const refusals = new WeakMap<object, string>();

/**
 * @param error what a command of this connection failed with
 * @returns why Redis refuses this connection, with what to change; undefined where it does not, as far as is known
 */
export const redisRefusal = (redis: RedisClient, error?: unknown): string | undefined =>
  (error instanceof Error ? adviceOn(error) : undefined) ?? refusals.get(redis);

const adviceOn = (error: Error): string | undefined => REFUSALS.find(([said]) => said.test(error.message))?.[1];

/** Two lines per outage instead of one per reconnect. The listener also keeps Node from ending the process. */
function logOutages(redis: RedisClient, role: string, logger: Logger): void {
  let away = false;
  redis.on('error', (error: Error) => {
    const advice = adviceOn(error);
    if (advice !== undefined && advice !== refusals.get(redis)) logger.error({ role }, advice);
    else if (!away) logger.warn({ role, err: error }, 'redis connection lost');
    if (advice !== undefined) refusals.set(redis, advice);
    away = true;
  });
  redis.on('ready', () => {
    refusals.delete(redis);
    if (away) logger.info({ role }, 'redis connection is back');
    away = false;
  });
}
