import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connect, type Database } from '#database/sql/connect';
import { readSetting, writeSetting } from '#database/sql/setting-queries';
import { inTransaction } from '#database/sql/transaction';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { until } from '../../../helpers/until.ts';
import { START } from '../fixtures.ts';

describe('connect', () => {
  let made: TestDatabase;
  const events: string[] = [];
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    events.length = 0;
    const logger = { ...silentLogger, warn: (_: object, event: string) => void events.push(event) };
    database = connect({ url: made.url, poolSize: 2, logger, connectTimeoutMs: 60_000 });
  });
  afterEach(async () => {
    await database.close();
    await made.drop();
  });

  const killEveryConnection = () =>
    made.database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );

  it('survives the loss of an idle connection and goes on with a new one', async () => {
    await database.pool.query('SELECT 1');
    await killEveryConnection();
    await until(() => events.length > 0, { what: 'the loss is reported' });
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('survives the loss of a connection in the middle of a transaction, and fails only that', async () => {
    const broken = inTransaction(database, async (client) => {
      await client.query('SELECT 1');
      await killEveryConnection();
      await client.query('SELECT 2');
    });
    await expect(broken).rejects.toThrow();
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('J06 fails a statement that gets no connection in time, and works again afterwards', async () => {
    const hasty = connect({ url: made.url, poolSize: 2, logger: silentLogger, connectTimeoutMs: 200 });
    // On a busy machine to connect takes longer than that by itself.
    const hold = () => until(() => hasty.pool.connect(), { what: 'a connection' });
    const held = [await hold(), await hold()];
    await expect(hasty.pool.query('SELECT 1')).rejects.toThrow('timeout exceeded');
    for (const client of held) client.release();
    expect((await hasty.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await hasty.close();
  });

  it('J05 runs a transaction again after a deadlock', async () => {
    for (const key of ['token_pepper', 'queue_epoch'] as const) await writeSetting(database, key, '0', START);
    let meeting = 0;
    let runs = 0;
    const add = (first: string, second: string) =>
      inTransaction(database, async (client) => {
        runs += 1;
        await client.query(`UPDATE settings SET value = value::int + 1 WHERE key = $1`, [first]);
        meeting += 1;
        await until(() => meeting >= 2, { what: 'both transactions hold a row' });
        await client.query(`UPDATE settings SET value = value::int + 1 WHERE key = $1`, [second]);
      });
    await Promise.all([add('token_pepper', 'queue_epoch'), add('queue_epoch', 'token_pepper')]);
    expect(runs).toBe(3);
    expect(await readSetting(database, 'queue_epoch')).toBe('2');
  });

  it('may be closed twice', async () => {
    await database.pool.query('SELECT 1');
    await Promise.all([database.close(), database.close()]);
  });
});
