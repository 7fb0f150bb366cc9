import type { LiveChanges, LivePosition } from '#contracts/live';
import type { Logger } from '#core/logger';
import type { RedisClient, RedisSettings } from '#queue/connection';
import { LiveReader } from '#queue/live/live-reader';
import { LiveWriter } from '#queue/live/live-writer';
import type { Dependencies } from '../dependencies.ts';
import { createChanges, type Changes } from './changes.ts';
import { EventHub } from './event-hub.ts';
import { LiveEvents } from './live-events.ts';

/** Live events of one API process: what it tells the others, and what it tells its clients. */
export interface Live {
  readonly changes: Changes;
  readonly hub: EventHub;
  /** Positions of running downloads, for all processes. */
  tellPositions(positions: readonly LivePosition[]): void;
  /** Does not wait for Redis. */
  start(): void;
  /** Answers what waits, and ends the connections of clients. Safe twice. */
  endRequests(): void;
  /** Sends what was told before. Safe twice and before start. */
  stop(): Promise<void>;
}

export interface LiveOptions extends Pick<Dependencies, 'database' | 'now'> {
  readonly settings: RedisSettings;
  /** An impatient connection to write with. */
  readonly redis: RedisClient;
  readonly log: Logger;
}

export function createLive({ database, now, settings, redis, log }: LiveOptions): Live {
  const writer = new LiveWriter({ redis, prefix: settings.prefix, logger: log });
  const changes = createChanges({ tell: (told) => writer.add(told), isHearing: () => reader.isHearing });
  const hub = new EventHub({ events: new LiveEvents({ database, changes, now }), logger: log });
  const reader = new LiveReader({
    redis: settings,
    logger: log,
    onStart: (kept, since) => hub.begin(kept, since),
    onEntries: (entries) => {
      for (const entry of entries) {
        changes.heard(wokenBy(entry.changes));
        hub.changed(entry);
      }
    },
    onPositions: (positions) => {
      changes.heard(positions.map(({ id }) => id));
      hub.moved(positions);
    },
    onGap: (reason) => {
      changes.heard(undefined);
      hub.rereadAll(reason);
    },
  });
  const endRequests = (): void => {
    changes.stop();
    hub.stop();
  };
  return {
    changes,
    hub,
    tellPositions: (positions) => writer.addPositions(positions),
    start: () => reader.start(),
    endRequests,
    stop: async () => {
      endRequests();
      await Promise.all([writer.stop(), reader.stop()]);
    },
  };
}

const wokenBy = ({ downloads = [], rollouts = [], hosts = [], others = [], reread }: LiveChanges) =>
  reread === undefined ? [...downloads, ...rollouts, ...hosts, ...others] : undefined;
