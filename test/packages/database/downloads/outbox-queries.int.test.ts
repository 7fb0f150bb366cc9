import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '#database/sql/connect';
import { cancelDownload, pauseDownload, resumeDownload } from '#database/downloads/download-actions';
import { insertDownloads } from '#database/downloads/insert-downloads';
import { applyEvents } from '#database/history/event-queries';
import {
  confirmQueued,
  failOverdue,
  markEnqueued,
  requeueLost,
  requeueShards,
  silentDownloads,
  unqueuedDownloads,
} from '#database/downloads/outbox-queries';
import { SHARDS, shardOf } from '#queue/keys';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, file, interrupted, mustFind, oneDownload, started } from '../fixtures.ts';

const LIMITS = { runningMs: 10_000, waitingMs: 60_000 };
const MAX_REQUEUES = 2;

describe('the outbox', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  const idsToQueue = async () => (await unqueuedDownloads(database, 100)).map(({ id }) => id);
  const silentAt = async (seconds: number) =>
    (await silentDownloads(database, LIMITS, at(seconds), 100)).map(({ id }) => id);

  it('offers each generation until it is marked, oldest first, with all that a job needs', async () => {
    const first = await oneDownload(database);
    const second = await oneDownload(database, { hosts: [null] });
    await database.pool.query(`UPDATE downloads SET created_at = $2 WHERE id = $1`, [second.id, at(1)]);
    const rows = await unqueuedDownloads(database, 100);
    expect(rows.map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(rows[0]).toMatchObject({ generation: 1, host: 'gpu-1', attemptsBefore: 0, file: first.file });
    expect(await markEnqueued(database, rows, at(2))).toBe(2);
    expect(await idsToQueue()).toEqual([]);
    await pauseDownload(database, first.id, at(3));
    await resumeDownload(database, first.id, at(4));
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ id: first.id, generation: 2 }]);
  });

  it('tells how many files of a version a host is to have, cancelled ones left out, and when its origin was last heard of', async () => {
    const model = { name: 'whisper', type: 'stt', version: '2' };
    const of = (hosts: (string | null)[], path: string) => oneDownload(database, { hosts, model, files: [file(path)] });
    const cancelled = await of(['gpu-1'], 'c.bin');
    await of(['gpu-1'], 'a.bin');
    await of(['gpu-1'], 'b.bin');
    await of(['gpu-2'], 'a.bin');
    await of([null], 'a.bin');
    await oneDownload(database);
    await cancelDownload(database, cancelled.id, at(1));
    await database.pool.query(
      `INSERT INTO version_checks (model, source, newer, checked_at, answered_at) VALUES ('whisper', 'huggingface', false, $1, $2)`,
      [at(9), at(5)],
    );
    const rows = await unqueuedDownloads(database, 100);
    const told = rows.map(({ host, model: name, fileCount, checkedAt }) => [host, name, fileCount, checkedAt]);
    expect(told).toEqual(
      expect.arrayContaining([
        ['gpu-1', 'whisper', 2, at(5)],
        ['gpu-2', 'whisper', 1, at(5)],
        [null, 'whisper', 1, at(5)],
        ['gpu-1', null, 0, null],
      ]),
    );
  });

  it('I21 reads no rows of other hosts to count the files of one, before the database has statistics of a large request', async () => {
    const hosts = Array.from({ length: 300 }, (_, index) => `gpu-${index}`);
    const model = { name: 'whisper', type: 'stt', version: '2' };
    const files = ['a.bin', 'b.bin'].map((path) => file(path));
    expect(await insertDownloads(database, { hosts, model, files }, { finishedOn: [] }, at(0))).toBe(600);
    const client = await database.pool.connect();
    try {
      const read = async (): Promise<unknown> => {
        await client.query('SELECT pg_stat_force_next_flush()');
        const sql = `SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'downloads_model_idx'`;
        return (await client.query(sql)).rows;
      };
      const before = await read();
      const one = { ...database, pool: client } as unknown as Database;
      expect(await unqueuedDownloads(one, 1000)).toHaveLength(600);
      expect(await read()).toEqual(before);
    } finally {
      client.release();
    }
  });

  it('leaves out rows whose jobs are being added', async () => {
    const [first, second] = [await oneDownload(database), await oneDownload(database, { hosts: ['gpu-2'] })];
    expect((await unqueuedDownloads(database, 1, [first.id])).map(({ id }) => id)).toEqual([second.id]);
  });

  it('does not let a late mark hide a newer generation', async () => {
    const download = await oneDownload(database);
    await pauseDownload(database, download.id, at(1));
    await resumeDownload(database, download.id, at(2));
    await markEnqueued(database, [{ id: download.id, generation: 1 }], at(3));
    expect(await idsToQueue()).toEqual([download.id]);
  });

  it('does not queue a download that was paused on request', async () => {
    const download = await oneDownload(database);
    await pauseDownload(database, download.id, at(1));
    expect(await idsToQueue()).toEqual([]);
  });

  it('finds running downloads without events sooner than waiting ones', async () => {
    const waiting = await oneDownload(database);
    const running = await oneDownload(database);
    await markEnqueued(database, [waiting, running], at(0));
    await applyEvents(database, [batch([started(running, 0)])], at(0));
    expect(await silentAt(9)).toEqual([]);
    expect(await silentAt(11)).toEqual([running.id]);
    expect((await silentAt(61)).sort()).toEqual([waiting.id, running.id].sort());
    await confirmQueued(database, [waiting], at(61));
    expect(await silentAt(62)).toEqual([running.id]);
  });

  it('leaves a download alone whose worker waits until a known time', async () => {
    const download = await oneDownload(database);
    await markEnqueued(database, [download], at(0));
    const waits = interrupted(download, 2, { reason: 'sources_unavailable', retryAt: at(600).getTime() });
    await applyEvents(database, [batch([started(download, 1), waits])], at(2));
    expect(await silentAt(500)).toEqual([]);
    expect(await silentAt(661)).toEqual([download.id]);
  });

  it('F40 RE3 takes an attempt back that could not reach a source, once', async () => {
    const download = await oneDownload(database);
    await markEnqueued(database, [download], at(0));
    const away = interrupted(download, 2, { reason: 'sources_unavailable', retryAt: at(12).getTime() });
    await applyEvents(database, [batch([started(download, 1), away])], at(2));
    await applyEvents(database, [batch([away])], at(3));
    expect(await mustFind(database, download.id)).toMatchObject({
      status: 'paused',
      pauseReason: 'sources_unavailable',
      attempts: 0,
      attemptsUsed: 0,
    });
    await requeueLost(database, [download], MAX_REQUEUES, at(99));
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ generation: 2, attemptsBefore: 0 }]);
  });

  it('F41 fails a download whose worker is away when its deadline is over', async () => {
    const download = await oneDownload(database, { deadlineMs: 60_000 });
    const other = await oneDownload(database, { deadlineMs: 60_000 });
    expect(download.deadlineAt).toEqual(at(60));
    const away = interrupted(download, 2, { reason: 'sources_unavailable', message: 'connection refused' });
    await applyEvents(database, [batch([started(download, 1), away])], at(2));
    expect(await failOverdue(database, at(60), at(61))).toEqual([]);
    expect(await failOverdue(database, at(61), at(62))).toMatchObject([
      {
        id: download.id,
        status: 'failed',
        errorKind: 'deadline',
        error: expect.stringContaining('connection refused'),
      },
    ]);
    expect(await mustFind(database, other.id)).toMatchObject({ status: 'pending' });
  });

  it('F41 begins the time anew at a resume request', async () => {
    const download = await oneDownload(database, { deadlineMs: 60_000 });
    const away = interrupted(download, 2, { reason: 'sources_unavailable' });
    await applyEvents(database, [batch([started(download, 1), away])], at(2));
    expect(await resumeDownload(database, download.id, at(50))).toMatchObject({
      done: true,
      row: { status: 'pending', deadlineAt: at(110), deadlineMs: 60_000 },
    });
  });

  it('queues a lost job again without charging the attempt that was cut off', async () => {
    const download = await oneDownload(database);
    await markEnqueued(database, [download], at(0));
    await applyEvents(database, [batch([started(download, 1, { attempt: 2 })])], at(1));
    expect(await requeueLost(database, [download], MAX_REQUEUES, at(2))).toEqual({ requeued: 1, failed: [] });
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ generation: 2, attemptsBefore: 1 }]);
    expect(await mustFind(database, download.id)).toMatchObject({ status: 'in_progress', requeues: 1 });
    const next = { id: download.id, generation: 2 };
    await applyEvents(database, [batch([started(next, 3, { attempt: 2 })])], at(3));
    expect(await mustFind(database, download.id)).toMatchObject({ status: 'resuming', attemptsUsed: 2 });
  });

  it('charges an attempt that failed before its job was lost', async () => {
    const download = await oneDownload(database);
    const events = [started(download, 1), interrupted(download, 2, { reason: 'retry' })];
    await applyEvents(database, [batch(events)], at(2));
    await requeueLost(database, [download], MAX_REQUEUES, at(3));
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ generation: 2, attemptsBefore: 1 }]);
    expect(await mustFind(database, download.id)).toMatchObject({ status: 'pending', pauseReason: null });
  });

  it('keeps a row that moved on during the sweep', async () => {
    const download = await oneDownload(database);
    await pauseDownload(database, download.id, at(1));
    expect(await requeueLost(database, [download], MAX_REQUEUES, at(2))).toEqual({ requeued: 0, failed: [] });
    await resumeDownload(database, download.id, at(3));
    expect(await requeueLost(database, [download], MAX_REQUEUES, at(4))).toEqual({ requeued: 0, failed: [] });
  });

  it('fails a download whose job is lost again and again, and says so', async () => {
    const download = await oneDownload(database);
    for (let generation = 1; generation <= MAX_REQUEUES; generation += 1)
      await requeueLost(database, [{ id: download.id, generation }], MAX_REQUEUES, at(generation));
    const last = { id: download.id, generation: MAX_REQUEUES + 1 };
    const { failed } = await requeueLost(database, [last], MAX_REQUEUES, at(9));
    expect(failed).toMatchObject([{ id: download.id, status: 'failed', errorKind: 'lost', completedAt: at(9) }]);
    expect(failed[0]!.error).toContain('queued again 2 times');
  });

  it('queues every open download again after a loss of Redis, except those paused on request', async () => {
    const [pending, running, waiting, held] = [
      await oneDownload(database),
      await oneDownload(database),
      await oneDownload(database),
      await oneDownload(database),
    ];
    await markEnqueued(database, [pending, running, waiting, held], at(0));
    const events = [started(running, 1), started(waiting, 1), interrupted(waiting, 2)];
    await applyEvents(database, [batch(events)], at(2));
    await pauseDownload(database, held.id, at(3));
    expect(await requeueShards(database, SHARDS, at(4))).toBe(3);
    expect((await idsToQueue()).sort()).toEqual([pending.id, running.id, waiting.id].sort());
    expect(await requeueShards(database, SHARDS, at(5))).toBe(0);
  });

  it('leaves out the rows of shards that are away, and queues those of lost shards again', async () => {
    const hosts = ['gpu-1', 'GPU-2', 'node_3', null];
    const rows = await Promise.all(hosts.map((host) => oneDownload(database, { hosts: [host] })));
    const idsOf = (shard: string) =>
      rows
        .filter(({ host }) => shardOf(host) === shard)
        .map(({ id }) => id)
        .sort();
    for (const shard of new Set(hosts.map(shardOf))) {
      const others = SHARDS.filter((one) => one !== shard);
      expect((await unqueuedDownloads(database, 100, [], others)).map(({ id }) => id).sort()).toEqual(idsOf(shard));
    }
    await markEnqueued(database, await unqueuedDownloads(database, 100), at(0));
    const away = SHARDS.filter((shard) => shard !== 'pool');
    expect((await silentDownloads(database, LIMITS, at(100), 100, away)).map(({ id }) => id)).toEqual(idsOf('pool'));
    expect(await requeueShards(database, [shardOf('gpu-1')], at(101))).toBe(idsOf(shardOf('gpu-1')).length);
    expect((await idsToQueue()).sort()).toEqual(idsOf(shardOf('gpu-1')));
  });
});
