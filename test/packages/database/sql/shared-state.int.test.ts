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
    const other: Database = { ...database };
    const inner = await runAsLeader(database, 'reconciler', async () => {
      expect(await runAsLeader(other, 'reconciler', async () => 'two')).toBeUndefined();
      return runAsLeader(other, 'janitor', async () => 'other');
    });
    expect(inner).toEqual({ result: { result: 'other' } });
    expect(await runAsLeader(database, 'reconciler', async () => 'again')).toEqual({ result: 'again' });
  });

  it('J09 lets the work of one process that leads take turns, so that its locks hold one session', async () => {
    let running = 0;
    const names = ['one', 'two', 'three'];
    const seen = await Promise.all(
      names.map((name) =>
        runAsLeader(database, name, async () => {
          running += 1;
          await database.pool.query('SELECT pg_sleep(0.02)');
          running -= 1;
          return running;
        }),
      ),
    );
    expect(seen).toEqual(names.map(() => ({ result: 0 })));
    await expect(runAsLeader(database, 'fails', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await runAsLeader(database, 'after', async () => 'next')).toEqual({ result: 'next' });
  });
});
