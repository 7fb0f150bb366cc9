import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { InventoryEventEntry, WorkerEvent } from '#contracts/worker/worker-events';
import type { Database } from '#database/sql/connect';
import type { DownloadRow } from '#database/downloads/download-row';
import { applyEvents } from '#database/history/event-queries';
import { hostByName, lostOn } from '#database/hosts/host-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import {
  at,
  batch,
  file,
  finished,
  inventory as inventoryOf,
  mustFind,
  oneDownload,
  progress,
  SHA256,
  started,
} from '../fixtures.ts';

const BOOT = randomUUID();

describe('applyEvents, the inventory of a host', () => {
  let made: TestDatabase;
  let database: Database;
  let host: string;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());
  beforeEach(() => {
    host = `gpu-${randomUUID()}`;
  });

  const say = (events: WorkerEvent[], seconds = 1000, bootId = BOOT) =>
    applyEvents(database, [batch(events, { host, bootId })], at(seconds));

  const wish = (version = '1', path = 'a.onnx'): Promise<DownloadRow> =>
    oneDownload(database, { hosts: [host], files: [file(path)], model: { name: 'whisper', type: 'stt', version } });

  const have = ({
    version = '1',
    path = 'a.onnx',
    state = 'valid',
  }: Partial<InventoryEventEntry> = {}): InventoryEventEntry => ({
    sha256: SHA256,
    sizeBytes: 1000,
    cid: null,
    model: 'whisper',
    version,
    path,
    state,
  });

  const inventory = (seconds: number, entries: InventoryEventEntry[], page = 0, pages = 1): WorkerEvent => ({
    ...inventoryOf(seconds, entries),
    page,
    pages,
  });

  const done = async (seconds: number, version = '1', path = 'a.onnx'): Promise<DownloadRow> => {
    const row = await wish(version, path);
    await say([finished(row, seconds)], seconds);
    return row;
  };

  it('queues a file again that the host lost, as a new generation, once', async () => {
    const { id } = await done(10);
    const { moved } = await say([inventory(20, [])]);
    expect(moved).toEqual([id]);
    expect(await mustFind(database, id)).toMatchObject({
      status: 'pending',
      generation: 2,
      enqueuedGeneration: 0,
      publishedPath: null,
      completedAt: null,
    });
    await say([inventory(20, []), inventory(30, [])]);
    expect(await mustFind(database, id)).toMatchObject({ status: 'pending', generation: 2 });
  });

  it('N25 tells missing files from damaged ones until they are there again', async () => {
    const gone = await done(10);
    const damaged = await done(10, '1', 'b.onnx');
    await say([inventory(20, [have({ path: 'b.onnx', state: 'invalid' })])]);
    const lost = await lostOn(database, host, 10);
    expect(lost).toMatchObject({ missing: 1, corrupt: 1, repairWaits: 2 });
    expect(lost.files).toMatchObject([
      { downloadId: gone.id, state: 'missing', model: 'whisper', version: '1', path: 'a.onnx' },
      { downloadId: damaged.id, state: 'corrupt', path: 'b.onnx', sha256: SHA256 },
    ]);
    await say([finished({ id: gone.id, generation: 2 }, 30)]);
    expect(await lostOn(database, host, 10)).toMatchObject({ missing: 0, corrupt: 1 });
  });

  it('N25 tells what a host has beyond what is wanted: old versions, and files of no download', async () => {
    await done(10, '1');
    await database.pool.query(`UPDATE downloads SET created_at = $2 WHERE host = $1`, [host, at(-100)]);
    await done(20, '2');
    const bundled = { ...have({ path: 'by-hand.bin' }), model: 'bundled' };
    const nameless = { ...have(), sha256: 'e'.repeat(64), model: null, version: null, path: null };
    await say([inventory(30, [have(), have({ version: '2' }), bundled, nameless])]);
    const { surplus, inventoryAt } = (await hostByName(database, host))!;
    expect(inventoryAt).toEqual(at(30));
    expect(surplus).toMatchObject({ extra: 2, old: 1 });
    expect(surplus.files).toMatchObject([
      { state: 'extra', model: 'bundled', path: 'by-hand.bin' },
      { state: 'old', model: 'whisper', version: '1', path: 'a.onnx', sizeBytes: 1000 },
      { state: 'extra', model: null, sha256: 'e'.repeat(64) },
    ]);
  });

  it('VE3 queues a file again that the host quarantined', async () => {
    const { id } = await done(10);
    await say([inventory(20, [have({ state: 'invalid' })])]);
    expect(await mustFind(database, id)).toMatchObject({ status: 'pending', generation: 2 });
  });

  it('skips files that are present, and files published after the host read its disk', async () => {
    const there = await done(10);
    const later = await done(21, '1', 'b.onnx');
    await say([inventory(20, [have()])]);
    expect(await mustFind(database, there.id)).toMatchObject({ status: 'success', generation: 1 });
    expect(await mustFind(database, later.id)).toMatchObject({ status: 'success', generation: 1 });
  });

  it('changes no rows of other hosts', async () => {
    const { id } = await done(10);
    const other = inventory(20, []);
    await applyEvents(database, [batch([other], { host: `other-${host}` })], at(1000));
    expect((await mustFind(database, id)).status).toBe('success');
  });

  it('waits for all pages of a set, in any order and over any number of batches', async () => {
    const kept = await done(10);
    const lost = await done(10, '1', 'b.onnx');
    await say([inventory(20, [have({ path: 'c.onnx' })], 1, 3)]);
    await say([inventory(20, [], 2, 3), inventory(20, [], 2, 3)]);
    expect((await mustFind(database, lost.id)).status).toBe('success');
    await say([inventory(20, [have()], 0, 3)]);
    expect((await mustFind(database, lost.id)).status).toBe('pending');
    expect((await mustFind(database, kept.id)).status).toBe('success');
    const { rows } = await database.pool.query('SELECT 1 FROM inventory_pages WHERE host = $1', [host]);
    expect(rows).toEqual([]);
  });

  it('two recorders that get one page each see the set complete', async () => {
    const { id } = await done(10);
    await Promise.all([0, 1].map((page) => say([inventory(20, [], page, 2)])));
    expect((await mustFind(database, id)).status).toBe('pending');
  });

  it('ignores an inventory older than the one compared last', async () => {
    await say([inventory(30, [])]);
    const { id } = await done(10);
    await say([inventory(20, [])]);
    expect((await mustFind(database, id)).status).toBe('success');
  });

  it('applies inventories again after one from a clock that was ahead', async () => {
    await say([inventory(1_000_000, [])], 1000);
    const { id } = await done(1010);
    await say([inventory(1020, [])], 1030);
    expect((await mustFind(database, id)).status).toBe('pending');
  });

  it('ends a download whose finished event was lost', async () => {
    const { id } = await wish();
    await say([started({ id }, 10)], 10);
    await say([inventory(200, [have()])], 201);
    expect(await mustFind(database, id)).toMatchObject({
      status: 'success',
      outcome: 'cache_hit',
      hash: SHA256,
      verified: true,
      publishedPath: '/store/models/whisper/a.onnx',
      downloadedBytes: 1000,
    });
  });

  it('skips a download with a recent event of its worker', async () => {
    const { id } = await wish();
    await say([started({ id }, 10), progress({ id }, 190, 500)], 190);
    await say([inventory(200, [have()])], 201);
    expect((await mustFind(database, id)).status).toBe('in_progress');
    await say([finished({ id }, 199)], 202);
    expect(await mustFind(database, id)).toMatchObject({ status: 'success', outcome: 'primary_success' });
  });

  it('VE5 does not queue a version again that the host swept after another replaced it', async () => {
    const old = await done(10, '1');
    const current = await done(20, '2');
    await say([inventory(30, [have({ version: '2' })])]);
    expect(await mustFind(database, old.id)).toMatchObject({ status: 'cancelled', generation: 1 });
    expect((await mustFind(database, current.id)).status).toBe('success');
  });

  it('brings back a damaged file of the previous version, which a rollback needs', async () => {
    const old = await done(10, '1');
    await done(20, '2');
    await say([inventory(30, [have({ version: '2' }), have({ state: 'invalid' })])]);
    expect((await mustFind(database, old.id)).status).toBe('pending');
  });

  it('ends as failed when a host loses the same file over and over', async () => {
    const { id } = await done(10);
    for (let round = 1; round <= 10; round += 1) {
      await say([inventory(10 + round * 10, [])]);
      await say([finished({ id, generation: round + 1 }, 15 + round * 10)]);
    }
    await say([inventory(500, [])]);
    const row = await mustFind(database, id);
    expect(row).toMatchObject({ status: 'failed', errorKind: 'lost' });
    expect(row.error).toContain('10 times');
  });
});
