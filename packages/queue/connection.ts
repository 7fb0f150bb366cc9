import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { exponentialMs, jitteredMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import { parseRedisUrl, type RedisAddress } from '#core/settings/redis-url';
import { SECOND_MS } from '#core/units';
import { adviceOn, noteRefusal } from './refusal.ts';

export interface RedisSettings {
  /** What `parseRedisUrl` reads: one server, Sentinels, or a cluster. */
  readonly url: string;
  /** Start of every key, without a colon at its end; `keys.ts` completes it to the tag of a shard. */
  readonly prefix: string;
}

export type RedisClient = Redis | Cluster;

/** Also what rejects a command whose connection ends before the reply: ioredis never settles one that it does not send again. */
const API_COMMAND_TIMEOUT_MS = 2 * SECOND_MS;
/** How long a cluster may take to say which node has which slots. */
const SLOTS_TIMEOUT_MS = 2 * SECOND_MS;
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
  connect(settings, role, logger, PATIENT);

/**
 * A connection whose commands fail at once while Redis is down, so that an HTTP request never hangs on it: the
 * rows in Postgres are the outbox and a relay tries again.
 */
export const connectImpatiently = (settings: RedisSettings, role: string, logger: Logger): RedisClient =>
  connect(settings, role, logger, IMPATIENT);

/** How a connection treats commands while Redis is away. */
interface Temper {
  readonly enableOfflineQueue: boolean;
  readonly server: Pick<RedisOptions, 'maxRetriesPerRequest' | 'autoResendUnfulfilledCommands' | 'commandTimeout'>;
  /** A command to a node of a cluster that is away is tried again after `retryDelayOnFailover`, this often. */
  readonly cluster: Pick<ClusterOptions, 'maxRedirections' | 'retryDelayOnFailover' | 'retryDelayOnClusterDown'>;
}

const PATIENT: Temper = {
  enableOfflineQueue: true,
  server: { maxRetriesPerRequest: null },
  cluster: { maxRedirections: Number.MAX_SAFE_INTEGER, retryDelayOnFailover: 500, retryDelayOnClusterDown: 500 },
};

const IMPATIENT: Temper = {
  enableOfflineQueue: false,
  server: { maxRetriesPerRequest: 1, autoResendUnfulfilledCommands: false, commandTimeout: API_COMMAND_TIMEOUT_MS },
  cluster: { maxRedirections: 4, retryDelayOnFailover: 100, retryDelayOnClusterDown: 100 },
};

/** True for a cluster, whose shards can be away one by one. */
export const isCluster = (redis: RedisClient): redis is Cluster => redis.isCluster;

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

function connect(settings: RedisSettings, role: string, logger: Logger, temper: Temper): RedisClient {
  const address = parseRedisUrl(settings.url);
  const redis = address.form === 'cluster' ? openCluster(address, role, temper) : openRedis(address, role, temper);
  logOutages(redis, address.tls, role, logger);
  return redis;
}

function openRedis(address: RedisAddress, role: string, temper: Temper): Redis {
  return new Redis({
    ...serverOptions(address, role, temper),
    ...(address.form === 'sentinel' ? sentinelOptions(address) : address.nodes[0]),
    db: address.database,
    retryStrategy: reconnectPauseMs,
    enableOfflineQueue: temper.enableOfflineQueue,
  });
}

function openCluster(address: RedisAddress, role: string, temper: Temper): Cluster {
  return new Cluster([...address.nodes], {
    redisOptions: serverOptions(address, role, temper),
    ...temper.cluster,
    enableOfflineQueue: temper.enableOfflineQueue,
    clusterRetryStrategy: reconnectPauseMs,
    slotsRefreshTimeout: SLOTS_TIMEOUT_MS,
    // A certificate names hosts: without this the cluster client would connect to their addresses.
    ...(address.tls ? { dnsLookup: (name, done) => done(null, name) } : {}),
  });
}

const serverOptions = ({ username, password, tls, family }: RedisAddress, role: string, temper: Temper) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls ? { tls: {} } : {}),
  family,
  connectionName: `haulier:${role}`,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  // Users of workers may not run CLIENT SETINFO: Redis 7.0 has no such command and refuses rules that name it.
  disableClientInfo: true,
  reconnectOnError,
  ...temper.server,
});

function sentinelOptions({ nodes, master, tls, sentinelUsername, sentinelPassword }: RedisAddress) {
  return {
    sentinels: [...nodes],
    name: master!,
    sentinelRetryStrategy: reconnectPauseMs,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

/** A master that became a replica refuses writes: the next connection leads to the new master. The command fails. */
const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY');

/** Doubles from 100 ms to 5 s, then spread, so that a fleet does not return in step. */
const reconnectPauseMs = (times: number): number =>
  jitteredMs(exponentialMs(100, times, MAX_RECONNECT_PAUSE_MS), Math.random());

/** Two lines per outage instead of one per reconnect. The listener also keeps Node from ending the process. */
function logOutages(redis: RedisClient, tls: boolean, role: string, logger: Logger): void {
  let away = false;
  redis.on('error', (error: Error) => {
    const advice = adviceOn(error, { tls, isGreeting: redis.status === 'connect' });
    if (advice !== undefined && noteRefusal(redis, advice)) logger.error({ role }, advice);
    else if (!away) logger.warn({ role, err: error }, 'redis connection lost');
    away = true;
  });
  redis.on('ready', () => {
    noteRefusal(redis, undefined);
    if (away) logger.info({ role }, 'redis connection is back');
    away = false;
  });
  if (isCluster(redis)) logNodeOutages(redis, role, logger);
}

/** A node of a cluster can be away while the cluster as a whole answers. */
function logNodeOutages(cluster: Cluster, role: string, logger: Logger): void {
  const away = new Set<string>();
  cluster.on('node error', (error: Error, node: string) => {
    if (!away.has(node)) logger.warn({ role, node, err: error }, 'connection to a node of the redis cluster lost');
    away.add(node);
  });
  cluster.on('+node', (connection: Redis) => {
    connection.once('ready', () => {
      const node = `${connection.options.host}:${connection.options.port}`;
      if (away.delete(node)) logger.info({ role, node }, 'connection to a node of the redis cluster is back');
    });
  });
}
