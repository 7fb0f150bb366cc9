import type { Logger } from '#core/logger';
import { ChannelListener } from './channel-listener.ts';
import type { RedisClient, RedisSettings } from './connection.ts';

const liveChannel = (prefix: string): string => `${prefix}:live`;

/** Tells every API process what its clients may show at once; nothing depends on it arriving. */
export async function publishLive(redis: RedisClient, prefix: string, message: unknown): Promise<void> {
  await redis.publish(liveChannel(prefix), JSON.stringify(message));
}

/**
 * Hears what `publishLive` of any process says.
 *
 * @param onMessage is given the parsed JSON; messages come from our own processes and may be of another version
 */
export const listenLive = (
  redis: RedisSettings,
  logger: Logger,
  onMessage: (message: unknown) => void,
): ChannelListener =>
  new ChannelListener({
    redis,
    channels: [liveChannel(redis.prefix)],
    onMessage: (json) => onMessage(JSON.parse(json)),
    logger,
  });
