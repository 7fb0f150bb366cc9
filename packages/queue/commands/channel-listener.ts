import type { Logger } from '#core/logger';
import { type RedisClient, type RedisSettings, connectPatiently, disconnect } from '../connection.ts';

export interface ChannelListenerOptions {
  readonly redis: RedisSettings;
  /** Full names, prefix included. */
  readonly channels: readonly string[];
  readonly onMessage: (message: string) => void;
  readonly logger: Logger;
}

/** Receives published messages; subscribes again after every outage. Messages during an outage are lost. */
export class ChannelListener {
  readonly #options: ChannelListenerOptions;
  #redis: RedisClient | undefined;
  #stopped = false;

  constructor(options: ChannelListenerOptions) {
    this.#options = options;
  }

  /** Does not wait for Redis. */
  start(): void {
    if (this.#redis !== undefined || this.#stopped) return;
    const { redis: settings, channels, onMessage, logger } = this.#options;
    const redis = connectPatiently(settings, 'channels', logger);
    this.#redis = redis;
    redis.on('message', (_channel: string, message: string) => onMessage(message));
    redis.subscribe(...channels).catch((error: unknown) => {
      if (!this.#stopped) logger.error({ err: error }, 'channels were not subscribed');
    });
  }

  /** Safe twice and before start. */
  stop(): void {
    this.#stopped = true;
    if (this.#redis !== undefined) disconnect(this.#redis);
  }
}
