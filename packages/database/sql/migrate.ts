import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '#core/logger';
import type { Database } from './connect.ts';
import { kindOf, readMigrations, type MigrationFile } from './migration-files.ts';
import { inTransaction, sqlStateOf } from './transaction.ts';

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
/** lock_not_available and deadlock_detected: the same change may succeed a moment later. */
const TRY_AGAIN: readonly (string | undefined)[] = ['55P03', '40P01'];
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
 * Brings the database up to the migrations of the folder. Several processes may call it at once: each migration is applied
 * by one of them. Each migration is one transaction, and so is the lock that it is applied under: a pooler such as PgBouncer
 * may give the next transaction another session.
 *
 * @throws NewerSchemaError when the database went through a contract that this program does not know
 * @throws Error when an applied migration was edited afterwards, or another tool left one half done
 */
export async function migrate(database: Database, folder: string, logger: Logger): Promise<MigrateResult> {
  const migrations = await readMigrations(folder);
  const applied: string[] = [];
  const warned = new Set<string>();
  const warnOfUnknown = (migration: string): void => {
    if (!warned.has(migration)) logger.warn({ migration }, 'database has a newer migration');
    warned.add(migration);
  };
  for (;;) {
    const name = await applyNextPatiently(database, migrations, warnOfUnknown, logger);
    if (name === undefined) return { applied };
    logger.info({ migration: name }, 'migration applied');
    applied.push(name);
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

function pendingOf(
  migrations: MigrationFile[],
  history: Map<string, HistoryRow>,
  warnOfUnknown: (migration: string) => void,
): MigrationFile[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { name, checksum, finished } of history.values()) {
    if (!finished) throw new Error(`migration ${name} was left half done: repair it, then "prisma migrate resolve"`);
    const file = known.get(name);
    if (file === undefined) refuseContract(name, warnOfUnknown);
    else if (file.checksum !== checksum)
      throw new Error(`migration ${name} was edited after it was applied: restore it and write a new one`);
  }
  return migrations.filter(({ name }) => !history.has(name));
}

/** An unknown expand only adds. An unknown contract may have removed a column or table that this program uses. */
function refuseContract(name: string, warnOfUnknown: (migration: string) => void): void {
  if (kindOf(name) === 'contract')
    throw new NewerSchemaError(`the database went through ${name}, which this version does not know: update it`);
  warnOfUnknown(name);
}

/** A change that cannot get its lock in time ends and is tried again. @returns its name; undefined when none is pending */
async function applyNextPatiently(
  database: Database,
  migrations: MigrationFile[],
  warnOfUnknown: (migration: string) => void,
  logger: Logger,
): Promise<string | undefined> {
  for (let run = 1; ; run += 1) {
    let name: string | undefined;
    try {
      await inTransaction(database, async (client) => {
        name = undefined;
        await awaitTurn(client);
        const [next] = pendingOf(migrations, await readHistory(client), warnOfUnknown);
        name = next?.name;
        if (next !== undefined) await apply(client, next);
      });
      return name;
    } catch (err) {
      if (name === undefined || !TRY_AGAIN.includes(sqlStateOf(err)) || run >= MAX_RUNS) throw err;
      logger.warn({ migration: name, run }, 'migration waits for a lock');
      await pause(PAUSE_MS);
    }
  }
}

async function awaitTurn(client: pg.PoolClient): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = ${TURN_TIMEOUT_MS}`);
  await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
  await client.query(HISTORY_SQL);
}

async function apply(client: pg.PoolClient, { name, sql, checksum }: MigrationFile): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query(sql);
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  );
}
