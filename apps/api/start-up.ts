import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { ensureAdminToken } from './access/first-admin-token.ts';
import { ensureSetupCode } from './access/users/setup-code.ts';
import { isUnavailable } from './server/errors/unavailable.ts';

export interface StartUpOptions {
  readonly database: Database;
  /** Folder of the migrations. */
  readonly migrations: string;
  readonly adminToken: string | undefined;
  readonly log: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

const RETRY_EVERY_MS = SECOND_MS;

/** What a start made, to be printed once: only hashes of it are kept. */
export interface FirstAccess {
  readonly adminToken: string | undefined;
  /** Signs an admin in once; undefined when an admin has a password. */
  readonly setupCode: string | undefined;
}

/**
 * Applies the migrations, installs an admin token, and makes a setup code while no admin has a password. While Postgres is down it
 * waits, without a limit.
 *
 * @throws Error for every failure other than a Postgres that cannot be reached
 */
export async function prepareDatabase(options: StartUpOptions): Promise<FirstAccess> {
  await migrateWhenUp(options);
  const { database } = options;
  const adminToken = await patiently(options, () => ensureAdminToken(database, options.adminToken, new Date()));
  const setupCode = await patiently(options, () => ensureSetupCode(database, new Date()));
  return { adminToken, setupCode };
}

/** Applies the migrations; waits while Postgres is down. */
export async function migrateWhenUp(options: Omit<StartUpOptions, 'adminToken'>): Promise<void> {
  const { applied } = await patiently(options, () => migrate(options.database, options.migrations, options.log));
  options.log.info({ applied }, 'database is up to date');
}

async function patiently<T>(options: Pick<StartUpOptions, 'log' | 'signal'>, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (err) {
      if (!isUnavailable(err)) throw err;
      const reason = messageOf(err);
      if (tries === 1 || tries % 10 === 0)
        options.log.warn({ tries, reason }, 'postgres is not reachable yet, waiting');
      await pause(RETRY_EVERY_MS, undefined, { signal: options.signal });
    }
  }
}
