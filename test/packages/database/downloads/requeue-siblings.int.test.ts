import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '#database/sql/connect';
import { cancelDownload } from '#database/downloads/download-actions';
import type { DownloadRow } from '#database/downloads/download-row';
import { applyEvents } from '#database/history/event-queries';
import { markEnqueued, unqueuedDownloads } from '#database/downloads/outbox-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, failed, file, finished, mustFind, oneDownload } from '../fixtures.ts';

describe('after a file of a version was cancelled', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  const host = 'gpu-9';
  const of = (version: string, path: string) =>
    oneDownload(database, { hosts: [host], model: { name: 'sibling', type: 'stt', version }, files: [file(path)] });
  const done = async (version: string, path: string) => {
    const row = await of(version, path);
    await markEnqueued(database, [row], at(1));
    await applyEvents(database, [batch([finished(row, 2)], { host })], at(2));
    return row;
  };
  const queued = async (version: string, path: string) => {
    const row = await of(version, path);
    await markEnqueued(database, [row], at(1));
    return row;
  };
  const cancel = async (row: DownloadRow) => {
    const result = await cancelDownload(database, row.id, at(5));
    return result.done ? result.replaced : result.why;
  };

  it('open downloads are queued again with the new number of files', async () => {
    await done('1', 'a.bin');
    const [there, open, unwanted] = [await done('2', 'a.bin'), await queued('2', 'b.bin'), await queued('2', 'c.bin')];
    expect(await cancel(unwanted)).toEqual([{ id: open.id, host, generation: 1 }]);
    expect(await mustFind(database, there.id)).toMatchObject({ status: 'success', generation: 1 });
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ id: open.id, generation: 2, fileCount: 2 }]);
  });

  it('a job that the relay is adding at that moment is replaced by one with the right number', async () => {
    await done('1', 'a.bin');
    const [open, unwanted] = [await of('2', 'b.bin'), await of('2', 'c.bin')];
    const adding = await unqueuedDownloads(database, 100);
    expect(adding.map(({ generation, fileCount }) => [generation, fileCount])).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(await cancel(unwanted)).toEqual([{ id: open.id, host, generation: 1 }]);
    await markEnqueued(database, adding, at(6));
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ id: open.id, generation: 2, fileCount: 1 }]);
  });

  it('is told so once, however often the cancellation is repeated', async () => {
    await done('1', 'a.bin');
    const [open, unwanted] = [await queued('2', 'b.bin'), await queued('2', 'c.bin')];
    expect(await cancel(unwanted)).toHaveLength(1);
    expect(await cancel(unwanted)).toBe('illegal');
    expect(await mustFind(database, open.id)).toMatchObject({ generation: 2 });
  });

  it('all that are cancelled at once are counted, and what is left knows how many remain', async () => {
    await done('1', 'a.bin');
    const open = await queued('2', 'a.bin');
    const unwanted = [];
    for (let index = 0; index < 12; index += 1) unwanted.push(await queued('2', `${index}.bin`));
    const results = await Promise.all(unwanted.map((row) => cancelDownload(database, row.id, at(5))));
    expect(results.every((result) => result.done)).toBe(true);
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ id: open.id, generation: 13, fileCount: 1 }]);
  });

  it('one file is asked for again where all others are there', async () => {
    await done('1', 'a.bin');
    const [there, unwanted] = [await done('3', 'a.bin'), await queued('3', 'b.bin')];
    expect(await cancel(unwanted)).toEqual([{ id: there.id, host, generation: 1 }]);
    expect(await unqueuedDownloads(database, 100)).toMatchObject([{ id: there.id, generation: 2, fileCount: 1 }]);
  });

  it('nothing happens while another file cannot come, and where the file is wanted still', async () => {
    await done('1', 'a.bin');
    const [broken, unwanted] = [await done('4', 'a.bin'), await queued('4', 'b.bin')];
    const other = await queued('4', 'c.bin');
    await applyEvents(database, [batch([failed(other, 3)], { host })], at(3));
    expect(await cancel(unwanted)).toEqual([]);
    expect(await mustFind(database, broken.id)).toMatchObject({ status: 'success', generation: 1 });
    await done('5', 'a.bin');
    const [first, again] = [await done('5', 'b.bin'), await queued('5', 'b.bin')];
    expect(first.path).toBe(again.path);
    expect(await cancel(again)).toEqual([]);
  });

  it('nothing happens where no other version is there: its files are shown as they come', async () => {
    const more = { hosts: ['gpu-10'], model: { name: 'sibling', type: 'stt', version: '1' } };
    const open = await oneDownload(database, { ...more, files: [file('a.bin')] });
    const unwanted = await oneDownload(database, { ...more, files: [file('b.bin')] });
    await markEnqueued(database, [open, unwanted], at(1));
    expect(await cancel(unwanted)).toEqual([]);
  });
});
