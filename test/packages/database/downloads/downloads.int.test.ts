import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { allowedFrom, DOWNLOAD_STATUSES, nextStatus, type DownloadStatus } from '#core/download-status';
import type { Database } from '#database/sql/connect';
import { insertDownloads, type DownloadOrder } from '#database/downloads/insert-downloads';
import { cancelDownload, pauseDownload, resumeDownload } from '#database/downloads/download-actions';
import { downloadById, listDownloads, type ListPosition } from '#database/downloads/download-queries';
import { countDownloads } from '#database/downloads/status-counts';
import { applyEvents } from '#database/history/event-queries';
import { wishedDownloads } from '#database/downloads/wished-downloads';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import {
  at,
  batch,
  CID,
  failed,
  file,
  finished,
  inventory,
  interrupted,
  mustFind,
  oneDownload,
  progress,
  START,
  started,
} from '../fixtures.ts';

describe('downloads', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());

  async function standing(status: DownloadStatus, attempts = 1): Promise<string> {
    const { id } = await oneDownload(database, { hosts: ['gpu-1'] });
    const sql = `UPDATE downloads SET status = $2, attempts = $3,
      pause_reason = CASE WHEN $2 = 'paused' THEN 'retry' END, completed_at = CASE WHEN $2 = 'success' THEN $4::timestamptz END
      WHERE id = $1`;
    await database.pool.query(sql, [id, status, attempts, START]);
    return id;
  }

  const statusOf = async (id: string): Promise<DownloadStatus> => (await mustFind(database, id)).status;

  /** A host that looked earlier than it did before is not listened to. */
  let looks = 0;

  const EVENTS = {
    pause: (id: string) => pauseDownload(database, id, at(1)),
    resume: (id: string) => resumeDownload(database, id, at(1)),
    cancel: (id: string) => cancelDownload(database, id, at(1)),
    lose: () => applyEvents(database, [batch([inventory(++looks)])], at(looks)),
    verify: (id: string) => applyEvents(database, [batch([finished({ id }, 1)])], at(1)),
    exhaust: (id: string) => applyEvents(database, [batch([failed({ id }, 1)])], at(1)),
    restart: (id: string) => applyEvents(database, [batch([started({ id }, 1)])], at(1)),
  };
  const pairs = DOWNLOAD_STATUSES.flatMap((status) =>
    (Object.keys(EVENTS) as (keyof typeof EVENTS)[]).map((event) => [status, event] as const),
  );

  it.each(pairs)('RE9 moves %s by %s only as the status table says', async (status, event) => {
    const id = await standing(status);
    await EVENTS[event](id);
    expect(await statusOf(id)).toBe(nextStatus(status, event) ?? status);
  });

  it.each(DOWNLOAD_STATUSES)('RE9 lets a first start move only what waits: %s', async (status) => {
    const id = await standing(status, 0);
    await EVENTS.restart(id);
    expect(await statusOf(id)).toBe(nextStatus(status, 'start') ?? nextStatus(status, 'restart') ?? status);
  });

  it.each(DOWNLOAD_STATUSES)('RE9 lets an interruption pause only what may run: %s', async (status) => {
    const id = await standing(status);
    await applyEvents(database, [batch([interrupted({ id }, 1)])], at(1));
    const mayRun = status === 'pending' || allowedFrom('interrupt').includes(status);
    expect(await statusOf(id)).toBe(mayRun ? 'paused' : status);
  });

  it('RE9 refuses a status that does not exist', async () => {
    const id = await standing('pending');
    const update = database.pool.query(`UPDATE downloads SET status = 'done' WHERE id = $1`, [id]);
    await expect(update).rejects.toThrow('downloads_status_check');
  });

  const create = (request: DownloadOrder, seconds = 0, finishedOn: readonly (string | null)[] = []) =>
    insertDownloads(database, request, { finishedOn }, at(seconds));

  it('CH8 makes one row for each host of a large request, sent four times at once or beside a row that is there', async () => {
    const hosts = Array.from({ length: 600 }, (_, index) => `large-${index}`);
    const files = ['one.bin', 'two.bin'].map((path) => file(path));
    const request = { hosts, files };
    const made = await Promise.all(Array.from({ length: 4 }, () => create(request)));
    expect(made.toSorted((a, b) => b - a)).toEqual([1200, 0, 0, 0]);
    expect(await create({ ...request, hosts: [...hosts, 'large-600'] })).toBe(2);
    const sql = `SELECT count(*) AS rows, count(DISTINCT (host, path)) AS wishes FROM downloads WHERE host LIKE 'large-%'`;
    expect((await database.pool.query(sql)).rows).toEqual([{ rows: 1202, wishes: 1202 }]);
  });

  it('CH8 makes one row of the same request sent twenty times at once', async () => {
    const request = { hosts: ['gpu-1', 'gpu-2', null], files: [file('same/a.bin'), file('same/b.bin')] };
    const created = await Promise.all(Array.from({ length: 20 }, () => create(request)));
    expect(created.reduce((sum, count) => sum + count)).toBe(6);
    expect(new Set((await wishedDownloads(database, request)).map(({ id }) => id)).size).toBe(6);
  });

  it('CH8 attaches while the wish is open and makes a new row when it has ended', async () => {
    const request = { hosts: ['gpu-1'], files: [file('again.bin'), file('again.bin')] };
    const standing = async () => (await wishedDownloads(database, request)).map(({ id, status }) => [id, status]);
    expect(await create(request)).toBe(1);
    const [[first]] = (await standing()) as [[string, string]];
    await pauseDownload(database, first, at(1));
    expect(await create(request, 2)).toBe(0);
    expect(await standing()).toEqual([[first, 'paused']]);
    await cancelDownload(database, first, at(3));
    expect(await create(request, 4)).toBe(1);
    expect(await standing()).toEqual([[expect.not.stringContaining(first), 'pending']]);
    expect(await resumeDownload(database, first, at(5))).toMatchObject({ done: false, why: 'duplicate' });
  });

  it('CH8 makes no row for what is recorded as complete on a host whose record is believed', async () => {
    const request = { hosts: ['gpu-1', 'gpu-2', null], files: [file('recorded.bin')] };
    await create(request);
    await database.pool.query(`UPDATE downloads SET status = 'success' WHERE path = 'recorded.bin'`);
    expect(await create(request, 1, ['gpu-1', null])).toBe(1);
    expect((await wishedDownloads(database, request)).map(({ host, status }) => [host, status])).toEqual([
      [null, 'success'],
      ['gpu-1', 'success'],
      ['gpu-2', 'pending'],
    ]);
    expect(await wishedDownloads(database, request, ['success'])).toHaveLength(3);
  });

  it('keeps wishes apart that differ in content, place, host, model or version', async () => {
    const model = { name: 'whisper-base', type: 'stt', version: '1' };
    const requests = [
      { hosts: ['gpu-1'], files: [file('apart.bin')] },
      { hosts: ['gpu-2'], files: [file('apart.bin')] },
      { hosts: [null], files: [file('apart.bin')] },
      { hosts: ['gpu-1'], files: [file('other.bin')] },
      { hosts: ['gpu-1'], files: [file('apart.bin', { digests: { sha256: 'cd'.repeat(32) } })] },
      { hosts: ['gpu-1'], files: [file('apart.bin')], model },
      { hosts: ['gpu-1'], files: [file('apart.bin')], model: { ...model, version: '2' } },
    ];
    for (const request of requests) expect(await create(request)).toBe(1);
  });

  it('gives back the file, the model and the options of the request', async () => {
    const wanted = file('whole.bin', { cid: CID });
    const row = await oneDownload(database, {
      files: [wanted],
      model: { name: 'whisper-base', type: 'stt', version: '1.2.0' },
      layers: ['peer', 'ipfs'],
      strategy: 'parallel',
      limitBytesPerSecond: 5_000_000_000,
    });
    expect(row).toMatchObject({
      host: 'gpu-1',
      file: wanted,
      cid: CID,
      hash: wanted.digests.sha256,
      model: 'whisper-base',
      modelType: 'stt',
      version: '1.2.0',
      layers: ['peer', 'ipfs'],
      strategy: 'parallel',
      limitBytesPerSecond: 5_000_000_000,
      totalBytes: 1000,
      generation: 1,
      createdAt: START,
    });
  });

  it('RE14 finds downloads by id, by CID, by status, by model and by host', async () => {
    const cid = `bafy${randomUUID().replaceAll('-', '')}`;
    const model = { name: `model-${randomUUID()}`, type: 'stt', version: '1' };
    const row = await oneDownload(database, { hosts: ['gpu-77'], files: [file('found.bin', { cid })], model });
    await cancelDownload(database, row.id, at(1));
    expect(await downloadById(database, row.id)).toMatchObject({ id: row.id, status: 'cancelled' });
    expect(await downloadById(database, randomUUID())).toBeUndefined();
    for (const filter of [{ cid }, { model: model.name, version: '1' }, { host: 'gpu-77' }])
      expect((await listDownloads(database, { ...filter, limit: 5 })).rows.map(({ id }) => id)).toEqual([row.id]);
    const cancelled = await listDownloads(database, { cid, status: ['cancelled', 'failed'], limit: 5 });
    expect(cancelled.rows).toHaveLength(1);
    expect((await listDownloads(database, { cid, status: ['pending'], limit: 5 })).rows).toEqual([]);
    expect(await countDownloads(database)).toMatchObject({ cancelled: expect.any(Number) });
  });

  it('turns pages newest first without losing or repeating a row, also among equal times', async () => {
    const host = `pages-${randomUUID()}`;
    for (let second = 0; second < 3; second += 1) {
      const files = [0, 1, 2, 3].map((n) => file(`${second}/${n}.bin`));
      await create({ hosts: [host], files }, second);
    }
    const seen: string[] = [];
    let after: ListPosition | undefined;
    do {
      const page = await listDownloads(database, { host, limit: 5, after });
      seen.push(...page.rows.map(({ path }) => path));
      after = page.next;
    } while (after);
    expect(seen).toHaveLength(12);
    expect(new Set(seen).size).toBe(12);
    expect(seen.map((path) => path[0])).toEqual([...'222211110000']);
  });

  it('RE3 RE11 gives an explicit resume a new generation and a new budget, once', async () => {
    const { id } = await oneDownload(database);
    await applyEvents(database, [batch([started({ id }, 1, { attempt: 3 }), failed({ id }, 2)])], at(2));
    expect(await mustFind(database, id)).toMatchObject({ status: 'failed', attemptsUsed: 3 });
    const [one, two] = await Promise.all([resumeDownload(database, id, at(3)), resumeDownload(database, id, at(3))]);
    expect([one!.done, two!.done].sort()).toEqual([false, true]);
    expect(await mustFind(database, id)).toMatchObject({ status: 'pending', generation: 2, attemptsUsed: 0 });
    expect(await resumeDownload(database, randomUUID(), at(4))).toEqual({ done: false, why: 'missing' });
  });

  it('RE15 keeps a record under 1 KB', async () => {
    const download = await oneDownload(database, {
      model: { name: 'whisper-base', type: 'stt', version: '1.2.0' },
      files: [
        file('onnx/decoder_model_merged_quantized.onnx', {
          cid: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
          sources: [
            { kind: 'huggingface', repo: 'onnx-community/whisper-base', revision: 'main', path: 'onnx/decoder.onnx' },
            { kind: 'mirror', url: 'https://models.example/whisper-base/1.2.0/onnx/decoder.onnx' },
          ],
        }),
      ],
    });
    await applyEvents(
      database,
      [batch([started(download, 1), progress(download, 2, 500), finished(download, 3)])],
      at(3),
    );
    const { rows } = await database.pool.query<{ size: number }>(
      'SELECT pg_column_size(d.*) AS size FROM downloads d WHERE id = $1',
      [download.id],
    );
    expect(rows[0]!.size).toBeLessThan(1024);
  });
});
