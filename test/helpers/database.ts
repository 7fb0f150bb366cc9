import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { silentLogger } from '#core/logger';
import { connect, type Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { readMigrations } from '#database/sql/migration-files';
import { testPostgresUrl } from './services.ts';

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  /** Closes the pool and deletes the database; safe twice. */
  drop(): Promise<void>;
}

/** A fresh, migrated database of its own: a clone of a template that is migrated once per set of migrations. */
export async function createTestDatabase(poolSize = 8): Promise<TestDatabase> {
  const template = await ensureTemplate();
  return makeDatabase(`TEMPLATE ${template}`, poolSize);
}

/** A database without any table. */
export const createEmptyDatabase = (poolSize = 8): Promise<TestDatabase> =>
  makeDatabase('TEMPLATE template0', poolSize);

async function makeDatabase(options: string, poolSize: number): Promise<TestDatabase> {
  const name = `haulier_test_${randomBytes(6).toString('hex')}`;
  await asAdmin((admin) => admin.query(`CREATE DATABASE ${name} ${options}`));
  const url = urlOf(name);
  const database = connect({ url, poolSize, logger: silentLogger });
  let dropping: Promise<void> | undefined;
  const drop = async (): Promise<void> => {
    await database.close();
    await asAdmin((admin) => admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  };
  return { database, url, drop: () => (dropping ??= drop()) };
}

/** Built under another name first, so that a run that was killed leaves no half template behind. */
async function ensureTemplate(): Promise<string> {
  const checksums = (await readMigrations(MIGRATIONS_FOLDER)).map(({ name, checksum }) => name + checksum);
  const hash = createHash('sha256').update(checksums.join()).digest('hex').slice(0, 12);
  const template = `haulier_template_${hash}`;
  const building = `${template}_building`;
  await asAdmin(async (admin) => {
    await admin.query('SELECT pg_advisory_lock(hashtext($1))', [template]);
    const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [template]);
    if (rowCount === 1) return;
    await admin.query(`DROP DATABASE IF EXISTS ${building} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${building} TEMPLATE template0`);
    const database = connect({ url: urlOf(building), poolSize: 1, logger: silentLogger });
    await migrate(database, MIGRATIONS_FOLDER, silentLogger).finally(() => database.close());
    await admin.query(`ALTER DATABASE ${building} RENAME TO ${template}`);
  });
  return template;
}

function urlOf(databaseName: string): string {
  const url = new URL(testPostgresUrl());
  url.pathname = `/${databaseName}`;
  return url.href;
}

async function asAdmin<T>(work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: testPostgresUrl() });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}
