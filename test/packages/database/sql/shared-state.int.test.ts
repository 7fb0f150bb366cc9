import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '#database/sql/connect';
import { runAsLeader } from '#database/sql/leader';
import { ensureSetting, queueEpochs, readSetting, setQueueEpoch } from '#database/sql/setting-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at } from '../fixtures.ts';

describe('what several API processes share', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  it('keeps the first value of a setting that several processes write at once', async () => {
    const answers = await Promise.all(['a', 'b', 'c'].map((v) => ensureSetting(database, 'token_pepper', v, at(0))));
    expect(new Set(answers)).toEqual(new Set([await readSetting(database, 'token_pepper')]));
  });

  it('keeps an epoch for each shard until it is replaced', async () => {
    expect(await queueEpochs(database)).toEqual(new Map());
    await setQueueEpoch(database, '3', 'a', at(0));
    await setQueueEpoch(database, 'pool', 'a', at(0));
    await setQueueEpoch(database, '3', 'b', at(1));
    expect(Object.fromEntries(await queueEpochs(database))).toEqual({ 3: 'b', pool: 'a' });
  });

  it('lets one process at a time be the leader', async () => {
    const inner = await runAsLeader(database, 'reconciler', async () => {
      expect(await runAsLeader(database, 'reconciler', async () => 'two')).toBeUndefined();
      return runAsLeader(database, 'janitor', async () => 'other');
    });
    expect(inner).toEqual({ result: { result: 'other' } });
    expect(await runAsLeader(database, 'reconciler', async () => 'again')).toEqual({ result: 'again' });
  });
});
