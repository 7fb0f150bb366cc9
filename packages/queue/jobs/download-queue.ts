import { FlowProducer, Queue, type FlowJob } from 'bullmq';
import { type DownloadJob, downloadJob } from '#contracts/worker/download-job';
import { BoundedMap } from '#core/bounded-map';
import type { Logger } from '#core/logger';
import { type RedisClient, type RedisSettings, connectImpatiently, disconnect } from '../connection.ts';
import { downloadQueue, jobKey, queueKey, shardOf, type Shard } from '../keys.ts';
import { groupByShard, ShardStates } from '../shard-states.ts';
import { bulkBackend, throwFirstError } from './bulk-backend.ts';
import { jobOptions } from './job-options.ts';

/** A job and its host; null is the pool. */
export interface AddressedJob {
  readonly host: string | null;
  readonly job: DownloadJob;
}

export interface RefusedJob {
  readonly id: string;
  readonly reason: string;
}

export interface AddResult {
  /** Ids that Redis now has, whether added now or known before. */
  readonly added: readonly string[];
  /** Jobs that can never be added as they are; a retry does not help. */
  readonly refused: readonly RefusedJob[];
  /** Ids whose shard of a cluster does not answer: add them again later. */
  readonly delayed: readonly string[];
}

export interface JobAddress {
  readonly host: string | null;
  readonly id: string;
}

/** `open` is waiting, delayed or active. A finished job still occupies its id; `unknown` is in a shard that does not answer. */
export type JobState =
  | { readonly state: 'unknown' }
  | { readonly state: 'absent' }
  | { readonly state: 'open' }
  | { readonly state: 'finished'; readonly failedReason: string | null };

export type BoardQueue = Queue;

export interface DownloadQueuesOptions {
  readonly redis: RedisSettings;
  readonly logger: Logger;
  /** Most queues kept open at once; the one unused for longest is closed. */
  readonly maxOpenQueues?: number;
  /** Called before a queue is closed to make room, so that the board can remove it. */
  readonly onQueueClosing?: (queue: BoardQueue) => void;
}

/** BullMQ keeps a stream of events per queue, 10,000 by default; ours have no reader. */
const EVENTS_PER_QUEUE = 100;
const DEFAULT_OPEN_QUEUES = 100;
const MAX_REMEMBERED_HOSTS = 20_000;
const LOOKUPS_PER_ROUND_TRIP = 1000;

/**
 * The API's side of the queues: one per host and one for the pool, over one connection that fails at once
 * while Redis is down.
 */
export class DownloadQueues {
  /** Shards of a cluster that do not answer. */
  readonly shards: ShardStates;
  readonly #redis: RedisClient;
  readonly #prefix: string;
  readonly #logger: Logger;
  readonly #producer: FlowProducer;
  readonly #open: BoundedMap<Queue>;
  readonly #registered: BoundedMap<true>;

  constructor(options: DownloadQueuesOptions) {
    this.#prefix = options.redis.prefix;
    this.#logger = options.logger;
    this.#redis = connectImpatiently(options.redis, 'queues', options.logger);
    this.shards = new ShardStates(this.#redis, options.logger);
    this.#producer = new FlowProducer(this.#bullOptions(), bulkBackend);
    this.#producer.on('error', (error) => this.#logger.debug({ err: error }, 'flow producer error'));
    this.#registered = new BoundedMap({ capacity: MAX_REMEMBERED_HOSTS });
    this.#open = new BoundedMap({
      capacity: options.maxOpenQueues ?? DEFAULT_OPEN_QUEUES,
      onDropped: (queue) => {
        options.onQueueClosing?.(queue);
        void queue.close().catch((error: unknown) => this.#logger.warn({ err: error }, 'queue did not close'));
      },
    });
  }

  /** The shared connection, for checks and small commands. */
  get redis(): RedisClient {
    return this.#redis;
  }

  /**
   * Adds jobs of any number of queues, in one MULTI for each shard: all of a shard or none. A job whose id Redis knows,
   * finished ones included, is left as it is.
   *
   * @throws Error while Redis is down or refuses a write; of a cluster, when no shard took its jobs
   */
  async addAll(jobs: readonly AddressedJob[]): Promise<AddResult> {
    const refused = jobs.flatMap(({ job }) => refusalOf(job));
    const refusedIds = new Set(refused.map((one) => one.id));
    const accepted = jobs.filter(({ job }) => !refusedIds.has(downloadJob.id(job)));
    const byShard = groupByShard(accepted, ({ host }) => shardOf(host));
    const outcomes = await this.shards.onEach(byShard, (some) => this.#addToShard(some));
    const idsOf = (shard: Shard): string[] => (byShard.get(shard) ?? []).map(({ job }) => downloadJob.id(job));
    return {
      added: outcomes.flatMap((outcome) => ('result' in outcome ? idsOf(outcome.shard) : [])),
      delayed: outcomes.flatMap((outcome) => ('error' in outcome ? idsOf(outcome.shard) : [])),
      refused,
    };
  }

  async #addToShard(jobs: readonly AddressedJob[]): Promise<void> {
    await this.#registerHosts(jobs.map(({ host }) => host));
    await this.#producer.addBulk(jobs.map((job) => toRoot(this.#prefix, job)));
  }

  /** Prepares the queues of hosts of one shard: their own event stream of BullMQ stays short. Cheap when repeated. */
  async #registerHosts(hosts: readonly (string | null)[]): Promise<void> {
    const keys = [...new Set(hosts)].map((host) => `${queueKey(downloadQueue(this.#prefix, host))}:meta`);
    const unknown = keys.filter((key) => this.#registered.get(key) === undefined);
    if (unknown.length === 0) return;
    const pipeline = this.#redis.pipeline();
    for (const key of unknown) pipeline.hset(key, 'opts.maxLenEvents', EVENTS_PER_QUEUE);
    throwFirstError(await pipeline.exec());
    for (const key of unknown) this.#registered.set(key, true);
  }

  /**
   * Takes a job out of its queue unless a worker has it.
   *
   * @returns `active` when a worker holds it: send the worker a command instead
   */
  async remove({ host, id }: JobAddress): Promise<'removed' | 'active'> {
    const removed = await this.openQueue(host).remove(id, { removeChildren: false });
    return removed === 1 ? 'removed' : 'active';
  }

  /** What Redis knows of these jobs, in their order; thousands cost a few milliseconds. */
  async inspect(jobs: readonly JobAddress[]): Promise<JobState[]> {
    const byShard = groupByShard(jobs, ({ host }) => shardOf(host));
    const outcomes = await this.shards.onEach(byShard, (some) => this.#inspectShard(some));
    const states = new Map<JobAddress, JobState>();
    for (const outcome of outcomes) {
      if ('error' in outcome) continue;
      byShard.get(outcome.shard)?.forEach((job, index) => states.set(job, outcome.result[index]!));
    }
    return jobs.map((job) => states.get(job) ?? { state: 'unknown' });
  }

  /** The queue of a host, or of the pool; it stays open until a hundred others were used after it. */
  openQueue(host: string | null): BoardQueue {
    const key = queueKey(downloadQueue(this.#prefix, host));
    return this.#open.get(key) ?? this.#open.set(key, this.#createQueue(host));
  }

  /** Ends the connection; never waits for a Redis that is down. Safe twice. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((queue) => queue.close()));
    await Promise.allSettled([this.#producer.close()]);
    disconnect(this.#redis);
  }

  #createQueue(host: string | null): Queue {
    const { name, prefix } = downloadQueue(this.#prefix, host);
    const queue = new Queue(name, {
      ...this.#bullOptions(),
      prefix,
      streams: { events: { maxLen: EVENTS_PER_QUEUE } },
    });
    queue.on('error', (error) => this.#logger.debug({ queue: name, err: error }, 'queue error'));
    return queue;
  }

  /** Neither waiting for the connection nor asking for its version lets a queue be made while Redis is down. */
  #bullOptions() {
    return { connection: this.#redis, skipWaitingForReady: true, skipVersionCheck: true };
  }

  async #inspectShard(jobs: readonly JobAddress[]): Promise<JobState[]> {
    const states: JobState[] = [];
    for (let from = 0; from < jobs.length; from += LOOKUPS_PER_ROUND_TRIP)
      states.push(...(await this.#inspectSome(jobs.slice(from, from + LOOKUPS_PER_ROUND_TRIP))));
    return states;
  }

  async #inspectSome(jobs: readonly JobAddress[]): Promise<JobState[]> {
    const pipeline = this.#redis.pipeline();
    for (const { host, id } of jobs)
      pipeline.hmget(jobKey(downloadQueue(this.#prefix, host), id), 'timestamp', 'finishedOn', 'failedReason');
    const replies = throwFirstError(await pipeline.exec());
    return replies.map((reply) => toState(reply as (string | null)[]));
  }
}

function toState([timestamp, finishedOn, failedReason]: (string | null)[]): JobState {
  if (timestamp === null || timestamp === undefined) return { state: 'absent' };
  if (finishedOn === null || finishedOn === undefined) return { state: 'open' };
  return { state: 'finished', failedReason: failedReason ?? null };
}

function toRoot(prefix: string, { host, job }: AddressedJob): FlowJob {
  const queue = downloadQueue(prefix, host);
  return {
    name: downloadJob.name,
    queueName: queue.name,
    prefix: queue.prefix,
    data: job,
    opts: jobOptions(host, job),
  };
}

function refusalOf(job: DownloadJob): RefusedJob[] {
  const bytes = Buffer.byteLength(JSON.stringify(job));
  if (bytes <= downloadJob.maxPayloadBytes) return [];
  const reason = `the job of ${job.file.path} has ${bytes} bytes and at most ${downloadJob.maxPayloadBytes} are allowed: give the file fewer sources`;
  return [{ id: downloadJob.id(job), reason }];
}
