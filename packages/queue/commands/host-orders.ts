import { HostOrder } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import { MINUTE_MS } from '#core/units';
import { ChannelListener } from './channel-listener.ts';
import type { RedisClient, RedisSettings } from '../connection.ts';
import { ordersKey } from '../keys.ts';

const fieldOf = ({ model }: HostOrder): string => model ?? '*';

/**
 * Gives an order to a host's worker. The order stays until it is done, so that an offline worker does it later; a further
 * order for the same model replaces it.
 */
export async function publishOrder(redis: RedisClient, prefix: string, host: string, order: HostOrder): Promise<void> {
  const json = JSON.stringify(order);
  const key = ordersKey(prefix, host);
  const replies = await redis.multi().hset(key, fieldOf(order), json).publish(key, order.id).exec();
  for (const [error] of replies ?? []) if (error) throw error;
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

/** Only if it is still the order that was done: a newer one of the same model stays. */
const REMOVE_SCRIPT = `if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end return 0`;

/** Carries out the orders to a host, one after another. */
export class HostOrders {
  readonly #options: HostOrdersOptions;
  readonly #key: string;
  readonly #listener: ChannelListener;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #again = false;

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
    this.#again = true;
    if (!this.#running) void this.#work();
  }

  async #work(): Promise<void> {
    this.#running = true;
    while (this.#again && !this.#stopping.signal.aborted) {
      this.#again = false;
      try {
        const kept = await this.#options.redis.hgetall(this.#key);
        for (const [field, json] of Object.entries(kept)) await this.#carryOut(field, json);
        // An order may have been published before the channel was subscribed.
        if (Object.keys(kept).length > 0) this.#again = true;
      } catch (err) {
        if (!this.#stopping.signal.aborted)
          this.#options.logger.warn({ err }, 'an order of this host was not carried out');
      }
    }
    this.#running = false;
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
