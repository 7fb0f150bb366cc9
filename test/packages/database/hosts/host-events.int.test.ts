import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Database } from '#database/sql/connect';
import { applyEvents } from '#database/history/event-queries';
import { hostByName, listNotices } from '#database/hosts/host-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch } from '../fixtures.ts';

describe('applyEvents, events of hosts', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());

  it('stores the reports and notices of a host once', async () => {
    const report = (seconds: number, freeBytes: number): WorkerEvent => ({
      type: 'host.report',
      at: at(seconds).getTime(),
      inventoryDigest: 'd1',
      storeBytes: 5,
      freeBytes,
      fileCount: 2,
      workerVersion: '0.1.0',
    });
    const notice: WorkerEvent = {
      type: 'host.notice',
      at: at(2).getTime(),
      notice: 'newer_version',
      model: 'whisper-base',
      path: null,
      message: 'a newer version is on the hub',
      facts: { available: 'abc' },
    };
    const bootId = randomUUID();
    const said = batch([report(3, 70), report(1, 99), notice], { host: 'gpu-7', bootId, sequence: 4 });
    await applyEvents(database, [said], at(60));
    await applyEvents(database, [said, batch([report(2, 88)], { host: 'gpu-7', bootId, sequence: 3 })], at(61));
    expect(await hostByName(database, 'gpu-7')).toMatchObject({
      firstSeenAt: at(60),
      lastSeenAt: at(61),
      bootId,
      lastSequence: 4,
      freeBytes: 70,
      newerVersions: { 'whisper-base': { available: 'abc' } },
    });
    expect(await listNotices(database, { host: 'gpu-7', limit: 10 })).toHaveLength(1);
  });
});
