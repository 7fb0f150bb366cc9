import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Database } from '#database/sql/connect';
import { pauseDownload, resumeDownload, cancelDownload } from '#database/downloads/download-actions';
import type { DownloadRow } from '#database/downloads/download-row';
import { applyEvents } from '#database/history/event-queries';
import { triesOf } from '#database/history/metrics-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import {
  at,
  batch,
  failed,
  file,
  finished,
  interrupted,
  mustFind,
  oneDownload,
  progress,
  started,
  tried,
} from '../fixtures.ts';

describe('applyEvents', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());

  const apply = (...events: WorkerEvent[]) => applyEvents(database, [batch(events)], at(60));
  const find = (download: DownloadRow) => mustFind(database, download.id);

  it('RE9 follows a download from its start over a pause to success', async () => {
    const download = await oneDownload(database);
    await apply(started(download, 1));
    expect(await find(download)).toMatchObject({ status: 'in_progress', attempts: 1, startedAt: at(1) });
    await apply(progress(download, 2, 300), progress(download, 3, 400));
    expect(await find(download)).toMatchObject({ downloadedBytes: 400, bytesPerSecond: 100, heartbeatAt: at(60) });
    await apply(interrupted(download, 4, { retryAt: at(90).getTime() }));
    expect(await find(download)).toMatchObject({
      status: 'paused',
      pauseReason: 'disk_full',
      reason: 'needs 1.00 kB, 0 B free',
      currentSize: 400,
      retryAt: at(90),
    });
    await apply(started(download, 5, { resumedBytes: 400 }));
    expect(await find(download)).toMatchObject({
      status: 'resuming',
      attempts: 2,
      resumedBytes: 400,
      pauseReason: null,
    });
    const { moved } = await apply(finished(download, 6, { resumedBytes: 400 }));
    expect(moved).toEqual([download.id]);
    expect(await find(download)).toMatchObject({
      status: 'success',
      outcome: 'primary_success',
      currentSize: 1000,
      downloadedBytes: 1000,
      verified: true,
      source: 'https://gateway.example',
      completedAt: at(6),
      startedAt: at(1),
    });
  });

  it('applies all events of a download that arrive in one batch', async () => {
    const download = await oneDownload(database);
    const { ignored } = await apply(
      started(download, 1),
      progress(download, 2, 100),
      interrupted(download, 3, { reason: 'retry' }),
      started(download, 4, { attempt: 2, resumedBytes: 100 }),
      progress(download, 5, 500),
      failed(download, 6, { committedBytes: 500 }),
    );
    expect(ignored).toBe(0);
    expect(await find(download)).toMatchObject({
      status: 'failed',
      attempts: 2,
      attemptsUsed: 2,
      lastAttemptAt: at(4),
      currentSize: 500,
      errorKind: 'missing',
      completedAt: at(6),
    });
  });

  it('changes nothing when the same batches come again', async () => {
    const download = await oneDownload(database);
    const batches = [
      batch([started(download, 1), tried(download, 2, 0, { status: 'failure' }), progress(download, 2, 100)]),
      batch([interrupted(download, 2), started(download, 3, { attempt: 2 }), tried(download, 3, 1)]),
      batch([finished(download, 5)]),
    ];
    for (const one of batches) await applyEvents(database, [one], at(60));
    const once = await find(download);
    const cids = (await database.pool.query('SELECT * FROM cids')).rows;
    for (const one of [...batches, ...batches]) await applyEvents(database, [one], at(60));
    await applyEvents(database, batches, at(60));
    expect(await find(download)).toEqual(once);
    expect((await database.pool.query('SELECT * FROM cids')).rows).toEqual(cids);
    expect(await triesOf(database, download, 10)).toHaveLength(2);
  });

  it('changes nothing when the first events of a running download come again', async () => {
    const download = await oneDownload(database);
    const life = [
      started(download, 1),
      progress(download, 1, 50),
      interrupted(download, 1, { reason: 'worker_shutdown' }),
      started(download, 2, { resumedBytes: 50 }),
      progress(download, 3, 70),
    ];
    for (let length = 1; length <= life.length; length += 1) {
      await apply(life[length - 1]!);
      const before = await find(download);
      for (const event of life.slice(0, length)) await apply(event);
      expect(await find(download)).toEqual(before);
    }
  });

  it('reaches the same end when batches overtake each other', async () => {
    const download = await oneDownload(database);
    await apply(progress(download, 5, 300));
    expect(await find(download)).toMatchObject({ status: 'in_progress', attempts: 1 });
    await apply(started(download, 1));
    expect(await find(download)).toMatchObject({ status: 'in_progress', attempts: 1, downloadedBytes: 300 });
    await apply(progress(download, 2, 100));
    expect(await find(download)).toMatchObject({ downloadedBytes: 300 });
    await apply(finished(download, 9));
    await apply(progress(download, 8, 900), interrupted(download, 7), failed(download, 6));
    expect(await find(download)).toMatchObject({ status: 'success', downloadedBytes: 1000 });
  });

  it('pauses a download whose start was overtaken by its interruption', async () => {
    const download = await oneDownload(database);
    await apply(interrupted(download, 5));
    await apply(started(download, 1));
    expect(await find(download)).toMatchObject({ status: 'paused', pauseReason: 'disk_full', currentSize: 400 });
  });

  it('ignores an older generation, except that a published file is published', async () => {
    const download = await oneDownload(database);
    await apply(started(download, 1), failed(download, 2));
    const resumed = await resumeDownload(database, download.id, at(3));
    expect(resumed).toMatchObject({ done: true, row: { generation: 2, status: 'pending' } });
    expect(await apply(started(download, 4), progress(download, 5, 10), failed(download, 6))).toMatchObject({
      moved: [],
      ignored: 3,
    });
    expect(await find(download)).toMatchObject({ status: 'pending', downloadedBytes: 0 });
    await apply(finished(download, 7));
    expect(await find(download)).toMatchObject({ status: 'success', generation: 2 });
  });

  it('does not let a late success undo a cancellation', async () => {
    const download = await oneDownload(database);
    await cancelDownload(database, download.id, at(1));
    expect(await apply(finished(download, 2))).toMatchObject({ moved: [], ignored: 1 });
    expect(await find(download)).toMatchObject({ status: 'cancelled' });
  });

  it('keeps a requested pause against later events of a worker that missed the command', async () => {
    const download = await oneDownload(database);
    await apply(started(download, 1));
    await pauseDownload(database, download.id, at(2));
    await apply(progress(download, 3, 200), started(download, 4), interrupted(download, 5, { committedBytes: 250 }));
    expect(await find(download)).toMatchObject({
      status: 'paused',
      pauseReason: 'requested',
      reason: 'paused on request',
      currentSize: 250,
    });
  });

  it('drops events of a host about the download of another host', async () => {
    const download = await oneDownload(database, { hosts: ['gpu-1'] });
    const foreign = [started(download, 1), tried(download, 2, 0), finished(download, 3)];
    for (const host of ['gpu-2', null])
      expect(await applyEvents(database, [batch(foreign, { host })], at(60))).toMatchObject({ moved: [], ignored: 2 });
    expect(await find(download)).toMatchObject({ status: 'pending' });
    expect(await triesOf(database, download, 10)).toEqual([]);
  });

  it("accepts events of any worker about the pool's downloads", async () => {
    const download = await oneDownload(database, { hosts: [null] });
    await applyEvents(database, [batch([started(download, 1)], { host: null })], at(60));
    await applyEvents(database, [batch([finished(download, 2)], { host: 'gpu-9' })], at(60));
    expect(await find(download)).toMatchObject({ status: 'success' });
  });

  it('RE3 counts the attempts of a generation by their number, so that a stopped worker costs none', async () => {
    const download = await oneDownload(database);
    await apply(started(download, 1), interrupted(download, 2, { reason: 'worker_shutdown' }), started(download, 3));
    expect(await find(download)).toMatchObject({ attempts: 2, attemptsUsed: 1 });
    await apply(interrupted(download, 4, { reason: 'retry' }), started(download, 5, { attempt: 2 }));
    expect(await find(download)).toMatchObject({ attempts: 3, attemptsUsed: 2 });
    await apply(failed(download, 6));
    await resumeDownload(database, download.id, at(7));
    expect(await find(download)).toMatchObject({ attempts: 3, attemptsUsed: 0, errorKind: null, completedAt: null });
  });

  it('ME1 keeps the tries of a stopped run beside those of the run that goes on under the same number', async () => {
    const download = await oneDownload(database);
    const events = [tried(download, 1, 0), tried(download, 2, 0)];
    await apply(...events);
    await apply(...events);
    expect(await triesOf(database, download, 10)).toHaveLength(2);
  });

  it('applies the events of two recorders at once without losing one (J05)', async () => {
    const files = Array.from({ length: 30 }, (_, n) => file(`many/${n}.bin`));
    const downloads = await Promise.all(files.map((one) => oneDownload(database, { files: [one] })));
    const forward = downloads.flatMap((download) => [started(download, 1), progress(download, 2, 100)]);
    const backward = [...downloads].reverse().map((download) => progress(download, 3, 200));
    await Promise.all([
      applyEvents(database, [batch(forward)], at(60)),
      applyEvents(database, [batch(backward)], at(60)),
      applyEvents(database, [batch([...forward].reverse())], at(60)),
    ]);
    for (const download of downloads)
      expect(await find(download)).toMatchObject({ status: 'in_progress', downloadedBytes: 200 });
  });
});
