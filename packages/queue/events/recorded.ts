import type { RedisClient } from '../connection.ts';
import { eventStreamKey } from './event-stream.ts';

/** @returns the id of the newest entry of the event stream; undefined when it has none */
export async function lastEventId(redis: RedisClient, prefix: string): Promise<string | undefined> {
  return (await redis.xrevrange(eventStreamKey(prefix), '+', '-', 'COUNT', 1))[0]?.[0];
}

/**
 * Whether a consumer group has taken and acknowledged every entry up to this one.
 *
 * @param lastId of an entry that is or was in the stream
 */
export async function isRecorded(redis: RedisClient, prefix: string, group: string, lastId: string): Promise<boolean> {
  const key = eventStreamKey(prefix);
  // A stream that is gone was lost: nothing of it will ever be recorded.
  if ((await redis.exists(key)) === 0) return true;
  const groups = ((await redis.xinfo('GROUPS', key)) as unknown[][]).map(factsOf);
  const delivered = groups.find((facts) => facts.get('name') === group)?.get('last-delivered-id');
  if (delivered === undefined || isBefore(String(delivered), lastId)) return false;
  const [, oldest] = (await redis.xpending(key, group)) as [count: number, oldest: string | null];
  return oldest === null || isBefore(lastId, oldest);
}

function factsOf(flat: readonly unknown[]): Map<string, unknown> {
  const pairs = flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), flat[at + 1]] as const] : []));
  return new Map(pairs);
}

/** Ids are `milliseconds-sequence`. */
function isBefore(id: string, other: string): boolean {
  const [time, sequence] = id.split('-').map(Number);
  const [otherTime, otherSequence] = other.split('-').map(Number);
  return time! < otherTime! || (time === otherTime && sequence! < otherSequence!);
}
