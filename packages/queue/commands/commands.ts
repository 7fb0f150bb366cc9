import type { DisabledSource } from '#contracts/worker/disabled-source';
import type { SourceOrder } from '#contracts/worker/source-order';
import { LimitsChanged, WorkerCommand, type HostLimits } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import { HOUR_MS } from '#core/units';
import { ChannelListener } from './channel-listener.ts';
import type { RedisClient, RedisSettings } from '../connection.ts';
import { commandChannel, commandKey } from '../keys.ts';
import { keepHostLimits, readHostLimits, type LimitsChange } from './host-limits.ts';
import { readDisabledSources, readSourceOrders } from './source-rules.ts';

/** Long enough for a worker that was cut off; the intent itself is in Postgres. */
const COMMAND_KEPT_MS = HOUR_MS;

/**
 * Tells the worker that runs a download to stop it: at once over the channel, and by a key for a worker that
 * was cut off.
 */
export async function publishCommand(
  redis: RedisClient,
  prefix: string,
  host: string | null,
  command: WorkerCommand,
): Promise<void> {
  const json = JSON.stringify(command);
  await redis
    .multi()
    .set(commandKey(prefix, host, command.downloadId), json, 'PX', COMMAND_KEPT_MS)
    .publish(commandChannel(prefix, host), json)
    .exec();
}

/**
 * Changes the limits of a host's worker: they are kept, and a connected worker applies them at once.
 *
 * @returns all that is set for the host now
 */
export async function publishLimits(
  redis: RedisClient,
  prefix: string,
  host: string,
  change: LimitsChange,
): Promise<HostLimits> {
  const limits = await keepHostLimits(redis, prefix, host, change);
  const message: LimitsChanged = { version: 1, command: 'host-limits' };
  await redis.publish(commandChannel(prefix, host), JSON.stringify(message));
  return limits;
}

export interface CommandListenerOptions {
  /** For the connection that subscribes. */
  readonly settings: RedisSettings;
  /** A patient connection for the kept commands; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly host: string | undefined;
  readonly pool: boolean;
  /** May be told the same command twice. */
  readonly onCommand: (command: WorkerCommand) => void;
  /** Told all limits that are set for the host, also when nothing changed. */
  readonly onLimits: (limits: HostLimits) => void;
  /** Told all sources that an operator disabled, also when nothing changed. */
  readonly onDisabledSources?: (sources: readonly DisabledSource[]) => void;
  /** Told the order of every layer that an admin ordered, also when nothing changed. */
  readonly onSourceOrders?: (orders: readonly SourceOrder[]) => void;
  readonly logger: Logger;
}

/** Receives commands as they are published, and reads the kept commands on request. */
export class CommandListener {
  readonly #options: CommandListenerOptions;
  readonly #listener: ChannelListener;

  constructor(options: CommandListenerOptions) {
    this.#options = options;
    const { settings, logger } = options;
    this.#listener = new ChannelListener({
      redis: settings,
      channels: this.#queues().map((queue) => commandChannel(settings.prefix, queue)),
      onMessage: (json) => this.#hear(json),
      logger,
    });
  }

  /** The hosts whose commands are meant for this worker; null is the pool. */
  #queues(): (string | null)[] {
    const { host, pool } = this.#options;
    return [...(host === undefined ? [] : [host]), ...(pool ? [null] : [])];
  }

  /** Does not wait for Redis. */
  start(): void {
    this.#listener.start();
  }

  /** Safe twice and before start. */
  stop(): void {
    this.#listener.stop();
  }

  /**
   * Reads the kept commands of these downloads, one round trip for each queue that is served, and passes them on like published ones: at the start
   * of a download and every few seconds, because a published message reaches only connected workers.
   */
  async recall(downloadIds: readonly string[]): Promise<void> {
    const { onDisabledSources, onSourceOrders } = this.#options;
    await Promise.all([
      this.recallLimits(),
      this.#recallRules(readDisabledSources, onDisabledSources),
      this.#recallRules(readSourceOrders, onSourceOrders),
      this.#recallCommands(downloadIds),
    ]);
  }

  /** Reads the kept limits of the host; a worker of the pool alone has none. */
  async recallLimits(): Promise<void> {
    const { redis, settings, host, onLimits } = this.#options;
    if (host !== undefined) onLimits(await readHostLimits(redis, settings.prefix, host));
  }

  /** Never rejects: a user in Redis that the API has not brought up to date may not read it yet, and what was read before holds. */
  async #recallRules<Rule>(
    read: (redis: RedisClient, prefix: string) => Promise<readonly Rule[]>,
    tell: ((rules: readonly Rule[]) => void) | undefined,
  ): Promise<void> {
    const { redis, settings, logger } = this.#options;
    try {
      tell?.(await read(redis, settings.prefix));
    } catch (err) {
      logger.debug({ err }, 'rules for sources were not read');
    }
  }

  async #recallCommands(downloadIds: readonly string[]): Promise<void> {
    if (downloadIds.length === 0) return;
    const { redis, settings } = this.#options;
    const kept = await Promise.all(
      this.#queues().map((host) => redis.mget(downloadIds.map((id) => commandKey(settings.prefix, host, id)))),
    );
    for (const json of kept.flat()) if (json !== null) this.#hear(json);
  }

  #hear(json: string): void {
    const { onCommand, logger } = this.#options;
    const message = parseJson(json);
    const { data: command } = WorkerCommand.safeParse(message);
    if (command !== undefined) onCommand(command);
    else if (LimitsChanged.safeParse(message).success) this.#hearLimits();
    else logger.warn({ json: json.slice(0, 200) }, 'not a worker command');
  }

  #hearLimits(): void {
    this.recallLimits().catch((err: unknown) => this.#options.logger.warn({ err }, 'limits were not read'));
  }
}
