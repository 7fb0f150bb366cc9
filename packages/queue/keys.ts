import { createHash } from 'node:crypto';
import { MAINTENANCE_QUEUE } from '#contracts/worker/check-version-job';
import { queueOf } from '#contracts/worker/download-job';
import { BoundedMap } from '#core/bounded-map';
import { hostKey } from '#core/text/host-name';

/*
 * The names of all keys. In `{haulier-7}:downloads.gpu-1:wait` the part in braces is the tag of a shard: a Redis Cluster
 * keeps all keys of one tag on one node, so that scripts and transactions over them work. One Redis holds all shards.
 */

/** Number of shards that the queues of hosts are spread over. Part of the names of keys: a change is an upgrade. */
export const HOST_SHARDS = 16;

/** A tag that jobs of downloads have: `0` to `15`, or `pool`. */
export type Shard = string;

const POOL: Shard = 'pool';

/** Every shard that has jobs of downloads. */
export const SHARDS: readonly Shard[] = [...Array.from({ length: HOST_SHARDS }, (_, n) => String(n)), POOL];

/**
 * The shard of a host's keys; null is the pool. `packages/database/downloads/shard-sql.ts` computes the same.
 *
 * @param host compared without case
 */
export function shardOf(host: string | null): Shard {
  if (host === null) return POOL;
  return KNOWN.get(host) ?? KNOWN.set(host, computeShard(host));
}

/** A hash costs more than a look-up, and a relay names the same hosts again and again. */
const KNOWN = new BoundedMap<Shard>({ capacity: 20_000 });

function computeShard(host: string): Shard {
  const [first = 0] = createHash('sha256').update(hostKey(host)).digest();
  return String(first % HOST_SHARDS);
}

/** @returns the start of every key of a shard: `{haulier}` with the tag `7` becomes `{haulier-7}` */
export function taggedPrefix(prefix: string, tag: string): string {
  const [, before, name, after] = /^([^{}]*)\{([^{}]+)\}(.*)$/s.exec(prefix) ?? [];
  return name === undefined ? `{${prefix}-${tag}}` : `${before}{${name}-${tag}}${after}`;
}

const prefixOf = (prefix: string, host: string | null): string => taggedPrefix(prefix, shardOf(host));

/** What BullMQ makes the keys of a queue of: `<prefix>:<name>:…`. */
export interface QueueAddress {
  readonly prefix: string;
  readonly name: string;
}

/** @returns the queue of a host's downloads; null is the pool */
export const downloadQueue = (prefix: string, host: string | null): QueueAddress => ({
  prefix: prefixOf(prefix, host),
  name: queueOf(host),
});

export const maintenanceQueue = (prefix: string): QueueAddress => ({
  prefix: taggedPrefix(prefix, 'maintenance'),
  name: MAINTENANCE_QUEUE,
});

/** @returns the start of all keys of a queue, without the colon */
export const queueKey = ({ prefix, name }: QueueAddress): string => `${prefix}:${name}`;

/** @returns the hash of one job */
export const jobKey = (queue: QueueAddress, jobId: string): string => `${queueKey(queue)}:${jobId}`;

/** The kept command for one download; see `publishCommand`. */
export const commandKey = (prefix: string, host: string | null, downloadId: string): string =>
  `${commandChannel(prefix, host)}:${downloadId}`;

/** Workers of a host hear their own channel, workers of the pool a common one. */
export const commandChannel = (prefix: string, host: string | null): string =>
  host === null ? `${prefixOf(prefix, null)}:commands` : `${prefixOf(prefix, host)}:commands:${hostKey(host)}`;

/** A hash from the name of a limit to bytes per second. */
export const limitsKey = (prefix: string, host: string): string => `${prefixOf(prefix, host)}:limits:${hostKey(host)}`;

/** A hash of the orders to one host, by model; its channel has the same name. */
export const ordersKey = (prefix: string, host: string): string => `${prefixOf(prefix, host)}:orders:${hostKey(host)}`;

/** Held by the worker of a host; see `HostLock`. */
export const hostLockKey = (prefix: string, host: string): string =>
  `${prefixOf(prefix, host)}:worker:${hostKey(host)}`;

/** The stream that workers append to and recorders read. */
export const eventStreamKey = (prefix: string): string => `${taggedPrefix(prefix, 'events')}:events`;

/** Batches that no recorder could take, for people to look at; short, and in the shard of the stream. */
export const deadEventsKey = (prefix: string): string => `${taggedPrefix(prefix, 'events')}:events-dead`;

/** A hash from models to when their origin last answered. */
export const answersKey = (prefix: string): string => `${taggedPrefix(prefix, 'maintenance')}:version-answers`;

/** How many requests of a token or an address the API had in the present minute; see `countRequest`. */
export const requestCountKey = (prefix: string, name: string): string =>
  `${taggedPrefix(prefix, 'requests')}:requests:${name}`;

/** The sentinel of one shard; see `readEpochs`. */
export const epochKey = (prefix: string, shard: Shard): string => `${taggedPrefix(prefix, shard)}:epoch`;

/** What changed, from API process to API process; see `LiveWriter`. */
export const liveStreamKey = (prefix: string): string => `${taggedPrefix(prefix, 'events')}:live`;

/** Positions of running downloads, from API process to API process. */
export const liveChannel = (prefix: string): string => `${taggedPrefix(prefix, 'events')}:live-positions`;

/** A hash from the origins of sources that an operator disabled to why and until when. */
export const disabledSourcesKey = (prefix: string): string => `${taggedPrefix(prefix, 'maintenance')}:disabled-sources`;

/** The start of the keys of the swarm of one file; each file has a tag of its own. A file is its root CID and its length. */
export const swarmKey = (prefix: string, cid: string, sizeBytes: number): string =>
  `${swarmSizesKey(prefix, cid)}:${sizeBytes}`;

/** A sorted set of the lengths that hosts say the file has, by the time of the last announce: all but one of them are wrong. */
export const swarmSizesKey = (prefix: string, cid: string): string => `${taggedPrefix(prefix, cid)}:swarm`;

/** A sorted set of swarms, each a root CID and a length, by the time when hosts last announced to it. */
export const swarmListKey = (prefix: string): string => `${taggedPrefix(prefix, 'swarms')}:swarms`;

/** A sorted set of the origins that asked some host for a pause, by the time when it ends. */
export const originPausesKey = (prefix: string): string => `${taggedPrefix(prefix, 'swarms')}:origin-pauses`;

/** A sorted set of the hosts of a site that fetch from outside of it, by the time until which that counts. */
export const siteHostsKey = (prefix: string, site: string): string =>
  `${taggedPrefix(prefix, `site-${site}`)}:swarm-hosts`;

/** A sorted set of the hosts that said that this one sent wrong bytes. */
export const swarmStrikesKey = (prefix: string, host: string): string =>
  `${prefixOf(prefix, host)}:swarm-strikes:${hostKey(host)}`;

/** There while the host takes no part in any swarm. */
export const swarmQuarantineKey = (prefix: string, host: string): string =>
  `${prefixOf(prefix, host)}:swarm-quarantine:${hostKey(host)}`;

/** A hash from layers to the order of their sources that an admin set. */
export const sourceOrdersKey = (prefix: string): string => `${taggedPrefix(prefix, 'maintenance')}:source-orders`;
