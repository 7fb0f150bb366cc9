import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#core/logger';
import { hostKey } from '#core/text/host-name';
import { SECOND_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { within } from '../within.ts';
import type { WorkerIdentity } from './boot-reclaim.ts';

/** Key of the worker that serves a host. */
export const hostLockKey = (prefix: string, host: string): string => `${prefix}:worker:${hostKey(host)}`;

/** Another worker serves the host. */
export class HostHeldError extends Error {
  override readonly name = 'HostHeldError';

  constructor(host: string, machine: string) {
    super(
      `another worker serves the host "${host}" already, on the machine "${machine}": stop that one, or give this one ` +
        'another HAULIER_HOST. One worker takes as many files at once as HAULIER_CONCURRENCY says',
    );
  }
}

export interface HostLockTimings {
  /** A lock that is not renewed for this long is free; milliseconds. */
  readonly expiryMs: number;
  readonly renewEveryMs: number;
  /** How often a worker that waits looks whether the lock was renewed. */
  readonly lookEveryMs: number;
}

const DEFAULT_TIMINGS: HostLockTimings = {
  expiryMs: 45 * SECOND_MS,
  renewEveryMs: 15 * SECOND_MS,
  lookEveryMs: SECOND_MS,
};

const STOP_DEADLINE_MS = 300;

export interface HostLockOptions {
  /** A patient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly host: string;
  readonly identity: WorkerIdentity;
  /** Name of this machine, for people. */
  readonly machine: string;
  /** Another worker serves the host now: this one must stop. */
  readonly onLost: (error: HostHeldError) => void;
  /** Another worker of this host was refused, on that machine. */
  readonly onRefused: (machine: string) => void;
  readonly logger: Logger;
  /** Defaults: expiry 45 s, renewed every 15 s, looked at every second. */
  readonly timings?: Partial<HostLockTimings>;
}

/* The key is a hash: workerId, bootId, machine, and `refused`, the machine of a worker that was refused since the last renewal. */

const HOLD = `redis.call('HSET', KEYS[1], 'workerId', ARGV[1], 'bootId', ARGV[2], 'machine', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])`;

const TAKE_SCRIPT = `local holder = redis.call('HGET', KEYS[1], 'workerId')
if holder and holder ~= ARGV[1] then
  return { redis.call('HGET', KEYS[1], 'machine'), redis.call('HGET', KEYS[1], 'bootId'), redis.call('PTTL', KEYS[1]) }
end
${HOLD}
return {}`;

const RENEW_SCRIPT = `local boot = redis.call('HGET', KEYS[1], 'bootId')
if boot and boot ~= ARGV[2] then return { 'lost', redis.call('HGET', KEYS[1], 'machine') } end
local refused = redis.call('HGET', KEYS[1], 'refused')
if refused then redis.call('HDEL', KEYS[1], 'refused') end
${HOLD}
return { 'held', refused or '' }`;

const REFUSE_SCRIPT = `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'refused', ARGV[1]) end return 0`;

const RELEASE_SCRIPT = `if redis.call('HGET', KEYS[1], 'bootId') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

interface Holder {
  readonly machine: string;
  readonly bootId: string;
  /** When the lock runs out; by our monotonic clock, milliseconds. */
  readonly expiresAt: number;
}

/**
 * The right to serve a host, which one worker has at a time: two workers with one host name would share its jobs, and each
 * would have a part of its files. A worker that starts again in the same home is the same worker and takes over at once; one that
 * died with its home is replaced when its lock runs out.
 */
export class HostLock {
  readonly #options: HostLockOptions;
  readonly #timings: HostLockTimings;
  readonly #key: string;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(options: HostLockOptions) {
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#key = hostLockKey(options.prefix, options.host);
  }

  /**
   * Resolves when this worker serves the host, and renews the lock until `stop`. Waits for Redis, and for a lock that its
   * holder does not renew any more.
   *
   * @throws HostHeldError when the holder renews it
   * @throws the signal's reason after a stop
   */
  async take(): Promise<void> {
    const { signal } = this.#stopping;
    let first: Holder | undefined;
    for (;;) {
      signal.throwIfAborted();
      const holder = await this.#tryToTake();
      if (holder === undefined) break;
      if (first !== undefined && this.#isAlive(first, holder)) await this.#giveUp(holder);
      if (first === undefined) this.#tellWaiting(holder);
      first ??= holder;
      await delay(this.#timings.lookEveryMs, undefined, { signal });
    }
    this.#isHeld = true;
    this.#renewLater();
  }

  /** Lets the next worker take the host at once. Safe twice and before `take`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const { redis, identity } = this.#options;
    await within(redis.eval(RELEASE_SCRIPT, 1, this.#key, identity.bootId), STOP_DEADLINE_MS);
  }

  /** @returns the other worker that holds the lock; undefined when this one has it now */
  async #tryToTake(): Promise<Holder | undefined> {
    const [machine, bootId, leftMs] = (await this.#run(TAKE_SCRIPT)) as [
      machine?: string,
      bootId?: string,
      leftMs?: number,
    ];
    if (bootId === undefined) return undefined;
    return { machine: machine ?? '', bootId, expiresAt: performance.now() + Number(leftMs) };
  }

  /** A renewal moves the end of the lock; a clock that is read late moves it by less. */
  #isAlive(first: Holder, holder: Holder): boolean {
    return holder.bootId !== first.bootId || holder.expiresAt - first.expiresAt > this.#timings.renewEveryMs / 2;
  }

  async #giveUp({ machine: holding }: Holder): Promise<never> {
    const { redis, host, machine } = this.#options;
    await redis.eval(REFUSE_SCRIPT, 1, this.#key, machine);
    throw new HostHeldError(host, holding);
  }

  #tellWaiting({ machine }: Holder): void {
    const { host, logger } = this.#options;
    logger.info(
      { host, machine, waitsMs: this.#timings.expiryMs },
      'another worker of this host was seen a moment ago: waiting until it is sure to be gone',
    );
  }

  #renewLater(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#renew(), this.#timings.renewEveryMs);
  }

  async #renew(): Promise<void> {
    const { host, onLost, onRefused, logger } = this.#options;
    try {
      const [state, machine] = (await this.#run(RENEW_SCRIPT)) as [state: string, machine: string];
      if (this.#stopping.signal.aborted) return;
      if (state === 'lost') return onLost(new HostHeldError(host, machine));
      if (machine !== '') onRefused(machine);
    } catch (err) {
      if (!this.#stopping.signal.aborted) logger.warn({ err }, 'the lock of this host was not renewed, trying again');
    }
    this.#renewLater();
  }

  #run(script: string): Promise<unknown> {
    const { redis, identity, machine } = this.#options;
    const { workerId, bootId } = identity;
    return redis.eval(script, 1, this.#key, workerId, bootId, machine, this.#timings.expiryMs);
  }
}
