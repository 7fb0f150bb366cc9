import { LimitsChanged, WorkerCommand, type HostLimits } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { hostKey } from '#core/text/host-name';
import { parseJson } from '#core/text/parse-json';
import { HOUR_MS } from '#core/units';
import { ChannelListener } from './channel-listener.ts';
import type { RedisClient, RedisSettings } from '../connection.ts';
import { keepHostLimits, readHostLimits, type LimitsChange } from './host-limits.ts';

/** Long enough for a worker that was cut off; the intent itself is in Postgres. */
const COMMAND_KEPT_MS = HOUR_MS;

/** Under the name of the host, so that its worker may read no other. */
export const commandKey = (prefix: string, host: string | null, downloadId: string): string =>
  `${prefix}:command:${host === null ? '' : hostKey(host)}:${downloadId}`;

/** Workers of a host hear their own channel, workers of the pool a common one. */
export const commandChannel = (prefix: string, host: string | null): string =>
  host === null ? `${prefix}:commands` : `${prefix}:commands:${hostKey(host)}`;

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
  readonly logger: Logger;
}

/** Receives commands as they are published, and reads the kept commands on request. */
export class CommandListener {
  readonly #options: CommandListenerOptions;
  readonly #listener: ChannelListener;

  constructor(options: CommandListenerOptions) {
    this.#options = options;
    const { settings, host, pool, logger } = options;
    this.#listener = new ChannelListener({
      redis: settings,
      channels: [
        ...(host === undefined ? [] : [commandChannel(settings.prefix, host)]),
        ...(pool ? [commandChannel(settings.prefix, null)] : []),
      ],
      onMessage: (json) => this.#hear(json),
      logger,
    });
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
   * Reads the kept commands of these downloads in one round trip and passes them on like published ones: at the start
   * of a download and every few seconds, because a published message reaches only connected workers.
   */
  async recall(downloadIds: readonly string[]): Promise<void> {
    await Promise.all([this.recallLimits(), this.#recallCommands(downloadIds)]);
  }

  /** Reads the kept limits of the host; a worker of the pool alone has none. */
  async recallLimits(): Promise<void> {
    const { redis, settings, host, onLimits } = this.#options;
    if (host !== undefined) onLimits(await readHostLimits(redis, settings.prefix, host));
  }

  async #recallCommands(downloadIds: readonly string[]): Promise<void> {
    if (downloadIds.length === 0) return;
    const { redis, settings, host, pool } = this.#options;
    const queues = [...(host === undefined ? [] : [host]), ...(pool ? [null] : [])];
    const kept = await redis.mget(
      queues.flatMap((queue) => downloadIds.map((id) => commandKey(settings.prefix, queue, id))),
    );
    for (const json of kept) if (json !== null) this.#hear(json);
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
