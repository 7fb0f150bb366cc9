import type { FastifyRateLimitStore } from '@fastify/rate-limit';
import { BoundedMap } from '#core/bounded-map';
import { SECOND_MS } from '#core/units';
import { countRequest, type RequestCount } from '#queue/request-counts';
import type { Dependencies } from '../dependencies.ts';

type CountDeps = Pick<Dependencies, 'queues' | 'prefix' | 'log'>;

/** No request waits longer than this for a count. */
const REDIS_PATIENCE_MS = SECOND_MS / 4;
/** After a failure this process counts alone for so long before it asks Redis again. */
const ALONE_MS = SECOND_MS;
/** Keys that one process counts alone. */
const MAX_KEYS = 5000;

/** Counts requests of all API processes together; while Redis is away each process counts for itself. */
export class RequestCounts implements FastifyRateLimitStore {
  readonly #deps: CountDeps;
  readonly #name: string;
  readonly #alone = new BoundedMap<{ current: number; readonly endsAt: number }>({ capacity: MAX_KEYS });
  readonly #redis: Outage;

  /** @param name of what is counted, part of the keys in Redis */
  constructor(deps: CountDeps, name = 'all', redis: Outage = { aloneUntil: 0, isAway: false }) {
    this.#deps = deps;
    this.#name = name;
    this.#redis = redis;
  }

  incr(key: string, callback: Told, windowMs = 0): void {
    this.#count(key, windowMs).then(
      (count) => callback(null, count),
      (error: Error) => callback(error),
    );
  }

  /** @param options of `createRateLimit`; their `countName` keeps limits apart */
  child(options: object): RequestCounts {
    return new RequestCounts(this.#deps, (options as { countName?: string }).countName, this.#redis);
  }

  async #count(key: string, windowMs: number): Promise<RequestCount> {
    if (performance.now() < this.#redis.aloneUntil) return this.#countAlone(key, windowMs);
    const { queues, prefix, log } = this.#deps;
    try {
      const count = await inTime(countRequest(queues.redis, prefix, `${this.#name}:${key}`, windowMs));
      if (this.#redis.isAway) log.info({}, 'requests are counted together again');
      this.#redis.isAway = false;
      return count;
    } catch (err) {
      if (!this.#redis.isAway) log.warn({ err }, 'Redis is away: each API process counts requests for itself');
      this.#redis.isAway = true;
      this.#redis.aloneUntil = performance.now() + ALONE_MS;
      return this.#countAlone(key, windowMs);
    }
  }

  #countAlone(key: string, windowMs: number): RequestCount {
    const now = performance.now();
    const known = this.#alone.get(key);
    const window =
      known !== undefined && known.endsAt > now ? known : this.#alone.set(key, { current: 0, endsAt: now + windowMs });
    window.current += 1;
    return { current: window.current, ttl: Math.ceil(window.endsAt - now) };
  }
}

/** What the counts of one process know of Redis. */
interface Outage {
  aloneUntil: number;
  isAway: boolean;
}

type Told = (error: Error | null, result?: { current: number; ttl: number }) => void;

async function inTime<Value>(promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer of Redis within ${REDIS_PATIENCE_MS} ms`)), REDIS_PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
