import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { applyEvents } from '#database/history/event-queries';
import { hostTotals, storeWarnings } from '#database/hosts/host-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';

describe('warnings about full stores', () => {
  let db: TestDatabase;
  const bootId = randomUUID();
  let sequence = 0;

  beforeEach(async () => {
    db = await createTestDatabase(2);
  });
  afterEach(() => db.drop());

  const tell = async (...events: object[]): Promise<void> => {
    const batch = { version: 1, host: 'host-a', bootId, sequence: (sequence += 1), sentAt: Date.now(), events };
    await applyEvents(db.database, [batch as never], new Date());
  };
  const report = (storeBytes: number) => ({
    type: 'host.report',
    at: Date.now(),
    inventoryDigest: 'x',
    storeBytes,
    freeBytes: 1,
    fileCount: 1,
    workerVersion: '1',
  });
  const warning = {
    type: 'host.notice',
    at: Date.now(),
    notice: 'store_over_limit',
    model: null,
    path: null,
    message: 'the store has 3 GB',
    facts: { warnBytes: 2e9 },
  };

  it('VE5 M06 stand while the host reports more than its limit, and go when it reports less', async () => {
    await tell(report(3e9), warning);
    expect(await storeWarnings(db.database, 10)).toMatchObject([{ host: 'host-a', message: 'the store has 3 GB' }]);
    await tell(report(1e9));
    expect(await storeWarnings(db.database, 10)).toEqual([]);
  });

  it('M06 are counted with the hosts, the newest for each, whatever a host wrote as its limit', async () => {
    await tell(report(3e9), warning, { ...warning, at: warning.at + 1, message: 'the store has 4 GB' });
    expect(await storeWarnings(db.database, 10)).toMatchObject([{ message: 'the store has 4 GB' }]);
    await tell({ ...warning, at: warning.at + 2, message: 'odd', facts: { warnBytes: 'many' } });
    expect(await storeWarnings(db.database, 10)).toMatchObject([{ message: 'odd' }]);
    const online = { online: 1, offline: 0, storeBytes: 3e9, overStoreLimit: 1 };
    expect(await hostTotals(db.database, new Date(Date.now() - 60_000))).toEqual(online);
    expect(await hostTotals(db.database, new Date(Date.now() + 60_000))).toMatchObject({ online: 0, offline: 1 });
  });
});
