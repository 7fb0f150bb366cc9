import pg from 'pg';
import { testPostgresUrl } from './services.ts';

/** Names the lock on the server that all test files of a run share. */
const NAME = 'addresses of this machine';

/**
 * Keeps other test files from changing the addresses of this machine: Chromium breaks off what it asks for then, with
 * `ERR_NETWORK_CHANGED`. Waits while one of them changes them.
 *
 * @returns ends that
 */
export async function keepAddresses(): Promise<() => Promise<void>> {
  const client = await locked('pg_advisory_lock_shared');
  return () => client.end();
}

/** Changes addresses of this machine while no test file keeps them. */
export async function changeAddresses<Result>(change: () => Promise<Result>): Promise<Result> {
  const client = await locked('pg_advisory_lock');
  try {
    return await change();
  } finally {
    await client.end();
  }
}

/** @returns the connection that holds the lock until it ends */
async function locked(lock: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: testPostgresUrl() });
  await client.connect();
  await client.query(`SELECT ${lock}(hashtext($1))`, [NAME]);
  return client;
}
