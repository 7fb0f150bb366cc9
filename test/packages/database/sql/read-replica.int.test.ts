import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connect, type Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { MAX_AGE_MS, withReplica, type ListReader } from '#database/sql/read-replica';
import { readSetting } from '#database/sql/setting-queries';
import { MIGRATIONS_FOLDER } from '../../../helpers/database.ts';
import { startReplicatedPostgres, type ReplicatedPostgres } from '../../../helpers/postgres-replica.ts';
import { until } from '../../../helpers/until.ts';

describe('lists of a read replica', () => {
  let servers: ReplicatedPostgres;
  let primary: Database;
  let lists: ListReader;
  let now: Date;
  const wait = (ms: number): void => {
    now = new Date(now.getTime() + ms);
  };

  beforeAll(async () => {
    servers = await startReplicatedPostgres();
    primary = connect({ url: servers.primaryUrl, poolSize: 4, logger: silentLogger });
    await migrate(primary, MIGRATIONS_FOLDER, silentLogger);
    now = new Date('2026-11-29T12:00:00Z');
    lists = withReplica(primary, { url: servers.replicaUrl, poolSize: 2, logger: silentLogger, now: () => now });
  });
  afterAll(async () => {
    await lists.close();
    await primary.close();
    await servers.stop();
  });

  const isReplica = async (): Promise<boolean> => {
    const { database } = await lists.source();
    const { rows } = await database.pool.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
    return rows[0]!.standby;
  };

  it('J11 come from the database itself until the replica has a mark, then from the replica, with their age', async () => {
    expect(await isReplica()).toBe(false);
    await lists.beat();
    await until(
      async () => {
        wait(1_000);
        return isReplica();
      },
      { what: 'the mark is on the replica' },
    );
    await lists.beat();
    await until(
      async () => {
        wait(1_000);
        await lists.beat();
        return ((await lists.source()).ageMs ?? Infinity) <= 2_000;
      },
      { what: 'the age is that of the latest mark' },
    );
    wait(3_000);
    expect((await lists.source()).ageMs).toBeGreaterThanOrEqual(3_000);
  });

  it('J11 come from the database itself while the replica is too old', async () => {
    await lists.beat();
    const mark = await readSetting(primary, 'replica_mark');
    const { database: replica } = await lists.source();
    await until(async () => (await readSetting(replica, 'replica_mark')) === mark, { what: 'the replica is level' });
    await replica.pool.query('SELECT pg_wal_replay_pause()');
    wait(MAX_AGE_MS);
    await lists.beat();
    expect((await lists.source()).ageMs).toBe(MAX_AGE_MS);
    wait(1_000);
    await lists.beat();
    expect((await lists.source()).ageMs).toBeUndefined();
    expect(await isReplica()).toBe(false);
    await replica.pool.query('SELECT pg_wal_replay_resume()');
    await until(
      async () => {
        wait(1_000);
        await lists.beat();
        return isReplica();
      },
      { what: 'the replica is read again' },
    );
  });

  it('J11 come from the database itself while the replica is away', async () => {
    await servers.stopReplica();
    wait(1_000);
    expect((await lists.source()).ageMs).toBeUndefined();
    expect(await isReplica()).toBe(false);
  });
});
