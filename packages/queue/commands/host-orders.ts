import { HostOrder } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { hostKey } from '#core/text/host-name';
import { parseJson } from '#core/text/parse-json';
import { MINUTE_MS } from '#core/units';
import { ChannelListener } from './channel-listener.ts';
import type { RedisClient, RedisSettings } from '../connection.ts';

/** A hash of the orders to one host; its channel has the same name. */
export const ordersKey = (prefix: string, host: string): string => `${prefix}:orders:${hostKey(host)}`;

/** No name of a model has a space. */
const ACTIVATES = 'activate ';
const fieldOf = (order: HostOrder): string =>
  order.order === 'verify' ? (order.model ?? '*') : `${ACTIVATES}${order.id}`;

/** Orders of different lanes are carried out beside each other: an activation does not wait for a check of the whole store. */
const LANES = ['verify', 'activate'] as const;
type Lane = (typeof LANES)[number];
const laneOf = (field: string): Lane => (field.startsWith(ACTIVATES) ? 'activate' : 'verify');

/**
 * Gives an order to a host's worker. The order stays until it is done, so that an offline worker does it later; a further order to verify
 * the same model, or of the same rollout, replaces it.
 */
export const publishOrder = (redis: RedisClient, prefix: string, host: string, order: HostOrder): Promise<void> =>
  publishOrders(redis, prefix, [{ host, order }]);

/** The same for many hosts, in one round trip. */
export async function publishOrders(
  redis: RedisClient,
  prefix: string,
  orders: readonly { readonly host: string; readonly order: HostOrder }[],
): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { host, order } of orders) {
    const key = ordersKey(prefix, host);
    pipeline.hset(key, fieldOf(order), JSON.stringify(order)).publish(key, order.id);
  }
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

/** Takes orders to show versions back; one that a worker is carrying out goes on. */
export async function withdrawActivations(
  redis: RedisClient,
  prefix: string,
  orders: readonly { readonly host: string; readonly rolloutId: string }[],
): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { host, rolloutId } of orders) pipeline.hdel(ordersKey(prefix, host), `${ACTIVATES}${rolloutId}`);
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

export interface HostOrdersOptions {
  /** For the connection that subscribes. */
  readonly settings: RedisSettings;
  /** A patient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly host: string;
  /** Carries out one order; one that rejects stays and is tried again later. */
  readonly onOrder: (order: HostOrder, signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
  /** How often kept orders are looked for without being told; milliseconds. */
  readonly everyMs?: number;
}

/** Only if it is still the order that was done: a newer one under the same name stays. */
const REMOVE_SCRIPT = `if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end return 0`;

/** Carries out the orders to a host: those of one lane one after another. */
export class HostOrders {
  readonly #options: HostOrdersOptions;
  readonly #key: string;
  readonly #listener: ChannelListener;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  readonly #running = new Set<Lane>();
  readonly #again = new Set<Lane>();

  constructor(options: HostOrdersOptions) {
    this.#options = options;
    const { settings, host, logger } = options;
    this.#key = ordersKey(settings.prefix, host);
    const onMessage = (): void => this.#look();
    this.#listener = new ChannelListener({ redis: settings, channels: [this.#key], onMessage, logger });
  }

  /** Does not wait for Redis. */
  start(): void {
    this.#listener.start();
    this.#timer ??= setInterval(() => this.#look(), this.#options.everyMs ?? MINUTE_MS);
    this.#look();
  }

  /** Aborts the order under way, which stays for the next start. Safe twice and before start. */
  stop(): void {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#listener.stop();
  }

  #look(): void {
    for (const lane of LANES) {
      this.#again.add(lane);
      if (!this.#running.has(lane)) void this.#work(lane);
    }
  }

  async #work(lane: Lane): Promise<void> {
    this.#running.add(lane);
    while (this.#again.has(lane) && !this.#stopping.signal.aborted) {
      this.#again.delete(lane);
      try {
        const kept = Object.entries(await this.#options.redis.hgetall(this.#key));
        const due = kept.filter(([field]) => laneOf(field) === lane);
        for (const [field, json] of due) await this.#carryOut(field, json);
        // An order may have been published before the channel was subscribed.
        if (due.length > 0) this.#again.add(lane);
      } catch (err) {
        if (!this.#stopping.signal.aborted)
          this.#options.logger.warn({ err }, 'an order of this host was not carried out');
      }
    }
    this.#running.delete(lane);
  }

  async #carryOut(field: string, json: string): Promise<void> {
    const { signal } = this.#stopping;
    const { data: order } = HostOrder.safeParse(parseJson(json));
    if (order === undefined) this.#options.logger.warn({ json: json.slice(0, 200) }, 'not an order for a host');
    else await this.#options.onOrder(order, signal);
    signal.throwIfAborted();
    await this.#options.redis.eval(REMOVE_SCRIPT, 1, this.#key, field, json);
  }
}
