import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '#core/logger';
import type { Database } from './connect.ts';
import { kindOf, readMigrations, type MigrationFile } from './migration-files.ts';
import { sqlStateOf } from './transaction.ts';

/** This program is older than the database allows: it must be updated, and must not run meanwhile. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError';
}

export interface MigrateResult {
  /** Names of the migrations that this call applied. */
  readonly applied: readonly string[];
}

/** Prisma's own lock: its CLI and this runner exclude each other. */
const ADVISORY_LOCK = 72707369;
/** How long to wait for another process that migrates. */
const TURN_TIMEOUT_MS = 120_000;
/** How long a change may wait for a table: other statements queue up behind it meanwhile. */
const LOCK_TIMEOUT_MS = 3_000;
const LOCK_NOT_AVAILABLE = '55P03';
const MAX_RUNS = 10;
const PAUSE_MS = 1_000;

/** The table as Prisma makes it, so that `prisma migrate status` reads what we wrote. */
const HISTORY_SQL = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  varchar(36) PRIMARY KEY NOT NULL,
    checksum            varchar(64) NOT NULL,
    finished_at         timestamptz,
    migration_name      varchar(255) NOT NULL,
    logs                text,
    rolled_back_at      timestamptz,
    started_at          timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0
  )`;

/**
 * Brings the database up to the migrations of the folder. Several processes may call it at once: one applies the
 * migrations, the others wait and find none pending. Each migration is one transaction.
 *
 * @throws NewerSchemaError when the database went through a contract that this program does not know
 * @throws Error when an applied migration was edited afterwards, or another tool left one half done
 */
export async function migrate(database: Database, folder: string, logger: Logger): Promise<MigrateResult> {
  const migrations = await readMigrations(folder);
  const client = await database.pool.connect();
  try {
    await client.query(`SET lock_timeout = ${TURN_TIMEOUT_MS}`);
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await client.query(HISTORY_SQL);
    const pending = pendingOf(migrations, await readHistory(client), logger);
    for (const migration of pending) await applyPatiently(client, migration, logger);
    return { applied: pending.map(({ name }) => name) };
  } finally {
    client.release(true);
  }
}

interface HistoryRow {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

async function readHistory(client: pg.PoolClient): Promise<Map<string, HistoryRow>> {
  const sql = `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
    FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`;
  return new Map((await client.query<HistoryRow>(sql)).rows.map((row) => [row.name, row]));
}

function pendingOf(migrations: MigrationFile[], history: Map<string, HistoryRow>, logger: Logger): MigrationFile[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { name, checksum, finished } of history.values()) {
    if (!finished) throw new Error(`migration ${name} was left half done: repair it, then "prisma migrate resolve"`);
    const file = known.get(name);
    if (file === undefined) refuseContract(name, logger);
    else if (file.checksum !== checksum)
      throw new Error(`migration ${name} was edited after it was applied: restore it and write a new one`);
  }
  return migrations.filter(({ name }) => !history.has(name));
}

/** An unknown expand only adds. An unknown contract may have removed a column or table that this program uses. */
function refuseContract(name: string, logger: Logger): void {
  if (kindOf(name) === 'contract')
    throw new NewerSchemaError(`the database went through ${name}, which this version does not know: update it`);
  logger.warn({ migration: name }, 'database has a newer migration');
}

/** A change that cannot get its lock in time ends and is tried again. */
async function applyPatiently(client: pg.PoolClient, migration: MigrationFile, logger: Logger): Promise<void> {
  for (let run = 1; ; run += 1) {
    try {
      await apply(client, migration);
      logger.info({ migration: migration.name }, 'migration applied');
      return;
    } catch (err) {
      await client.query('ROLLBACK');
      if (sqlStateOf(err) !== LOCK_NOT_AVAILABLE || run >= MAX_RUNS) throw err;
      logger.warn({ migration: migration.name, run }, 'migration waits for a lock');
      await pause(PAUSE_MS);
    }
  }
}

async function apply(client: pg.PoolClient, { name, sql, checksum }: MigrationFile): Promise<void> {
  await client.query('BEGIN');
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query(sql);
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  );
  await client.query('COMMIT');
}
