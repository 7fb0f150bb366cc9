import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { applyEvents } from '#database/history/event-queries';
import { standingStoreWarnings } from '../../../../apps/api/hosts/store-warnings.ts';
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
    expect(await standingStoreWarnings(db.database)).toMatchObject([{ host: 'host-a', message: 'the store has 3 GB' }]);
    await tell(report(1e9));
    expect(await standingStoreWarnings(db.database)).toEqual([]);
  });
});
