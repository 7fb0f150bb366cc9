import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connect } from '#database/sql/connect';
import { migrate, NewerSchemaError } from '#database/sql/migrate';
import { readMigrations } from '#database/sql/migration-files';
import { createEmptyDatabase, MIGRATIONS_FOLDER, type TestDatabase } from '../../../helpers/database.ts';

describe('migrate', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function empty(): Promise<TestDatabase> {
    const made = await createEmptyDatabase();
    cleanups.push(made.drop);
    return made;
  }

  async function folderWith(...extra: [name: string, sql: string][]): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
    for (const [name, sql] of extra) {
      await mkdir(join(folder, name), { recursive: true });
      await writeFile(join(folder, name, 'migration.sql'), sql);
    }
    return folder;
  }

  it('applies each migration once when several processes start at the same time', async () => {
    const { database, url } = await empty();
    const others = [1, 2, 3].map(() => connect({ url, poolSize: 1, logger: silentLogger }));
    cleanups.unshift(...others.map((other) => () => other.close()));
    const results = await Promise.all(
      [database, ...others].map((process) => migrate(process, MIGRATIONS_FOLDER, silentLogger)),
    );
    const names = (await readMigrations(MIGRATIONS_FOLDER)).map(({ name }) => name);
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual(names);
    const { rows } = await database.pool.query(
      'SELECT migration_name, count(*) FROM _prisma_migrations GROUP BY 1 HAVING count(*) > 1',
    );
    expect(rows).toEqual([]);
  });

  it('leaves a history with which "prisma migrate status" agrees', async () => {
    const { database, url } = await empty();
    const status = () =>
      spawnSync(process.execPath, ['node_modules/prisma/build/index.js', 'migrate', 'status'], {
        env: { ...process.env, DATABASE_URL: url },
        encoding: 'utf8',
      });
    expect(status().stdout).toContain('have not yet been applied');
    await migrate(database, MIGRATIONS_FOLDER, silentLogger);
    expect(status().stdout).toContain('Database schema is up to date!');
  });

  it('refuses a database that went through a contract it does not know', async () => {
    const { database } = await empty();
    await migrate(
      database,
      await folderWith(['29990101000000_drop_contract', '-- contract\nSELECT 1;\n']),
      silentLogger,
    );
    await expect(migrate(database, MIGRATIONS_FOLDER, silentLogger)).rejects.toThrow(NewerSchemaError);
  });

  it('goes on beside an expand that a newer version made', async () => {
    const { database } = await empty();
    await migrate(database, await folderWith(['29990101000000_more', '-- expand\nSELECT 1;\n']), silentLogger);
    await expect(migrate(database, MIGRATIONS_FOLDER, silentLogger)).resolves.toEqual({ applied: [] });
  });

  it('refuses a migration that was edited after it was applied, and names it', async () => {
    const { database } = await empty();
    await migrate(database, await folderWith(['29990101000000_more', '-- expand\nSELECT 1;\n']), silentLogger);
    const edited = await folderWith(['29990101000000_more', '-- expand\nSELECT 2;\n']);
    await expect(migrate(database, edited, silentLogger)).rejects.toThrow('29990101000000_more was edited');
  });

  it('refuses a migration whose first line does not say what its name promises', async () => {
    const { database } = await empty();
    const folder = await folderWith(['29990101000000_drop_contract', '-- expand\nSELECT 1;\n']);
    await expect(migrate(database, folder, silentLogger)).rejects.toThrow('must be "-- contract"');
  });

  it('leaves nothing of a migration that fails half way', async () => {
    const { database } = await empty();
    const folder = await folderWith(['29990101000000_more', '-- expand\nCREATE TABLE half (id int);\nSELECT 1 / 0;\n']);
    await expect(migrate(database, folder, silentLogger)).rejects.toThrow('division by zero');
    expect((await database.pool.query(`SELECT to_regclass('half') AS half`)).rows).toEqual([{ half: null }]);
    await expect(migrate(database, MIGRATIONS_FOLDER, silentLogger)).resolves.toEqual({ applied: [] });
  });

  it('J08 waits for a table that another session uses, and then changes it', async () => {
    const { database } = await empty();
    await migrate(database, MIGRATIONS_FOLDER, silentLogger);
    const folder = await folderWith(['29990101000000_more', '-- expand\nALTER TABLE cids ADD COLUMN extra text;\n']);
    const user = await database.pool.connect();
    await user.query('BEGIN');
    await user.query('LOCK TABLE cids IN ACCESS SHARE MODE');
    let waits = 0;
    const logger = {
      ...silentLogger,
      warn: () => {
        waits += 1;
        void user.query('COMMIT');
      },
    };
    const { applied } = await migrate(database, folder, logger);
    user.release();
    expect(applied).toEqual(['29990101000000_more']);
    expect(waits).toBe(1);
  });
});
