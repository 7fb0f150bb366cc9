import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DAY_MS } from '#core/units';
import { silentLogger } from '#core/logger';
import { applyEvents } from '#database/history/event-queries';
import { listTries, triesOf } from '#database/history/metrics-queries';
import { dropTryPartitions, ensureTryPartitions } from '#database/history/try-partitions';
import type { Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { createEmptyDatabase, createTestDatabase, MIGRATIONS_FOLDER } from '../../../helpers/database.ts';
import { at, batch, oneDownload, START, tried } from '../fixtures.ts';

const NEXT_RELEASE = fileURLToPath(new URL('../../../../prisma/next-release', import.meta.url));
const EXPAND = '20261129100000_tries';

/** A write of the release before. */
const OLD_INSERT = `
  INSERT INTO attempts (day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source,
    status, latency_ms, bytes, total_bytes, error_kind, error_message, reason)
  VALUES ($2::date, $1, 1, 1, $3, $2, 'gpu-1', NULL, NULL, 'ipfs', 'ipfs-gateway', 'https://gateway.example', 'success', 5, 10,
    NULL, NULL, NULL, NULL)
  ON CONFLICT DO NOTHING`;

describe('the table tries, which was named attempts', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  const databaseOf = async (making: ReturnType<typeof createTestDatabase>): Promise<Database> => {
    const made = await making;
    cleanups.push(made.drop);
    return made.database;
  };

  /** A copy of the migrations: without the last ones, or with those of the next release. */
  async function folderOf(change: 'release before' | 'next release'): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const isLater = (path: string): boolean => (/\d{14}_\w+/.exec(path)?.[0] ?? '') >= EXPAND;
    const filter = (path: string) => change === 'next release' || !isLater(path);
    await cp(MIGRATIONS_FOLDER, folder, { recursive: true, filter });
    if (change === 'next release') await cp(NEXT_RELEASE, folder, { recursive: true });
    return folder;
  }

  const count = async (database: Database, sql: string): Promise<number> =>
    (await database.pool.query<{ n: number }>(`SELECT count(*) AS n FROM ${sql}`)).rows[0]!.n;

  const tablesOf = async (database: Database): Promise<string[]> => {
    const sql = `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'tries'::regclass ORDER BY 1`;
    return (await database.pool.query<{ name: string }>(sql)).rows.map(({ name }) => name);
  };

  it('keeps the history that was written before the expand', async () => {
    const database = await databaseOf(createEmptyDatabase());
    await migrate(database, await folderOf('release before'), silentLogger);
    const download = randomUUID();
    await database.pool.query(`CREATE TABLE attempts_20261121 PARTITION OF attempts
      FOR VALUES FROM ('2026-11-21') TO ('2026-11-22')`);
    for (const seconds of [1, 2 * 86_400]) await database.pool.query(OLD_INSERT, [download, at(seconds), 0]);
    const { applied } = await migrate(database, MIGRATIONS_FOLDER, silentLogger);
    expect(applied).toContain(EXPAND);
    expect(await count(database, 'tries')).toBe(2);
    expect(await ensureTryPartitions(database, START)).toEqual([
      '2026-11-22',
      '2026-11-23',
      '2026-11-24',
      '2026-11-25',
    ]);
    expect(await count(database, 'attempts_20261123')).toBe(1);
  });

  it('after the expand a program of the release before reads and writes by the old name', async () => {
    const database = await databaseOf(createTestDatabase());
    const download = await oneDownload(database);
    await ensureTryPartitions(database, START);
    await database.pool.query(OLD_INSERT, [download.id, at(1), 0]);
    await database.pool.query(OLD_INSERT, [download.id, at(1), 0]);
    await applyEvents(database, [batch([tried(download, 2, 1)])], at(3));
    expect((await triesOf(database, download, 10)).map(({ sequence }) => sequence)).toEqual([1, 0]);
    expect(await count(database, `attempts a WHERE a.at >= '2026-11-21' AND a.day >= '2026-11-21'::date`)).toBe(2);
    expect(await count(database, 'attempts_20261121')).toBe(2);
  });

  it('after the expand a program of the release before finds the partitions of its days, and its clean-up runs', async () => {
    const database = await databaseOf(createTestDatabase());
    await ensureTryPartitions(database, START);
    const nextDay = new Date(START.getTime() + DAY_MS).getTime();
    for (const ahead of [0, 1, 2, 3]) {
      const day = new Date(nextDay + ahead * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');
      expect(await count(database, `to_regclass('attempts_${day}') AS t WHERE t IS NOT NULL`)).toBe(1);
    }
    await database.pool.query(`DELETE FROM attempts_default WHERE day < '2026-11-01'`);
    const days = `pg_inherits i WHERE i.inhparent = 'attempts'::regclass`;
    expect(await count(database, days)).toBe(0);
  });

  it('the contract removes the old name and keeps every row, and this release goes on beside it', async () => {
    const database = await databaseOf(createTestDatabase());
    const download = await oneDownload(database);
    await ensureTryPartitions(database, START);
    const days = [tried(download, 1, 0), tried(download, -40 * 86_400, 1)];
    await applyEvents(database, [batch(days)], at(3));
    const { applied } = await migrate(database, await folderOf('next release'), silentLogger);
    expect(applied).toEqual(['20261130000000_tries_contract']);
    expect(await count(database, `to_regclass('attempts') AS t WHERE t IS NOT NULL`)).toBe(0);
    expect(await tablesOf(database)).toEqual([
      ...['tries_20261121', 'tries_20261122', 'tries_20261123', 'tries_20261124', 'tries_20261125', 'tries_default'],
    ]);
    expect(await count(database, 'tries_default')).toBe(1);
    await applyEvents(database, [batch([tried(download, 4, 2)])], at(5));
    expect(await listTries(database, { since: START, limit: 10 }, at(100))).toHaveLength(2);
    expect(await ensureTryPartitions(database, START)).toEqual([]);
    expect(await dropTryPartitions(database, new Date(START.getTime() + DAY_MS))).toEqual(['2026-11-21']);
    expect(await count(database, 'tries')).toBe(0);
  });
});
