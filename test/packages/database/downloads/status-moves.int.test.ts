import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { fc } from '../../../helpers/properties.ts';
import { DOWNLOAD_EVENTS, DOWNLOAD_STATUSES, nextStatus } from '#core/download-status';
import type { Database } from '#database/sql/connect';
import { cancelDownload, pauseDownload, resumeDownload } from '#database/downloads/download-actions';
import { applyEvents } from '#database/history/event-queries';
import { markEnqueued, requeueLost, requeueShards } from '#database/downloads/outbox-queries';
import { addUpCounts } from '#database/downloads/status-counts';
import { SHARDS } from '#queue/keys';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import {
  at,
  batch,
  failed,
  finished,
  interrupted,
  inventory,
  mustFind,
  oneDownload,
  progress,
  started,
} from '../fixtures.ts';
import { expectKeptFacts } from './kept-facts.ts';

const RUNS = 25;

/** Every move that some event of the status table makes; Postgres itself raises on any other. */
const LEGAL = DOWNLOAD_STATUSES.flatMap((from) =>
  DOWNLOAD_EVENTS.flatMap((event) => {
    const to = nextStatus(from, event);
    return to === undefined ? [] : [`${from}>${to}`];
  }),
);

const WATCH_SQL = `
  CREATE FUNCTION watch_moves() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF OLD.status <> NEW.status AND NOT (OLD.status || '>' || NEW.status) = ANY ('{${LEGAL.join(',')}}') THEN
      RAISE EXCEPTION 'illegal move % to %', OLD.status, NEW.status;
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER watch_moves BEFORE UPDATE ON downloads FOR EACH ROW EXECUTE FUNCTION watch_moves()`;

const STEPS = [
  'started',
  'progress',
  'interrupted',
  'finished',
  'failed',
  'pause',
  'resume',
  'cancel',
  'lose',
  'queued',
  'lost',
  'redis-lost',
  'added-up',
] as const;

interface Step {
  readonly what: (typeof STEPS)[number];
  readonly seconds: number;
  readonly generation: number;
  /** Together with the next one. */
  readonly together: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(...STEPS),
  seconds: fc.integer({ min: 0, max: 9 }),
  generation: fc.integer({ min: 1, max: 4 }),
  together: fc.boolean(),
});

describe('moves of a status', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
    await database.pool.query(WATCH_SQL);
  });
  afterAll(() => made.drop());

  function act(id: string, host: string, { what, seconds, generation }: Step): Promise<unknown> {
    const download = { id, generation };
    const say = (event: Parameters<typeof batch>[0][number]) =>
      applyEvents(database, [batch([event], { host })], at(seconds));
    const acts: Record<(typeof STEPS)[number], () => Promise<unknown>> = {
      started: () => say(started(download, seconds)),
      progress: () => say(progress(download, seconds, seconds * 100)),
      interrupted: () => say(interrupted(download, seconds)),
      finished: () => say(finished(download, seconds)),
      failed: () => say(failed(download, seconds)),
      pause: () => pauseDownload(database, id, at(seconds)),
      resume: () => resumeDownload(database, id, at(seconds)),
      cancel: () => cancelDownload(database, id, at(seconds)),
      lose: () => say(inventory(seconds)),
      queued: () => markEnqueued(database, [download], at(seconds)),
      lost: () => requeueLost(database, [download], 2, at(seconds)),
      'redis-lost': () => requeueShards(database, SHARDS, at(seconds)),
      'added-up': () => addUpCounts(database, 0),
    };
    return acts[what]();
  }

  it('RE9 are legal in whatever order, and however much at once, workers, people and sweeps act', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const host = `gpu-${randomUUID()}`;
        const { id } = await oneDownload(database, { hosts: [host] });
        let running: Promise<unknown>[] = [];
        for (const one of steps) {
          running.push(act(id, host, one));
          if (one.together) continue;
          await Promise.all(running);
          running = [];
        }
        await Promise.all(running);
        const row = await mustFind(database, id);
        expect(row.enqueuedGeneration).toBeLessThanOrEqual(row.generation);
        expect(row.attemptsUsed).toBeGreaterThanOrEqual(row.attemptsBefore);
        if (row.status === 'paused') expect(row.pauseReason).not.toBeNull();
        if (row.status === 'success') expect(row.publishedPath).not.toBeNull();
        await expectKeptFacts(database);
      }),
      { numRuns: RUNS },
    );
  });

  it('RE9 the watch itself works', async () => {
    const { id } = await oneDownload(database);
    const jump = database.pool.query(`UPDATE downloads SET status = 'resuming' WHERE id = $1`, [id]);
    await expect(jump).resolves.toBeDefined();
    const illegal = database.pool.query(`UPDATE downloads SET status = 'pending' WHERE id = $1`, [id]);
    await expect(illegal).rejects.toThrow('illegal move resuming to pending');
  });
});
