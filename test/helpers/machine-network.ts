import pg from 'pg';
import { testPostgresUrl } from './services.ts';

const LOCK = `hashtext('interfaces of this machine')`;

/** Gives the network of this machine back to other test files. */
type Release = () => Promise<void>;

/** Chromium ends all its requests when an address of the machine comes or goes: no other test file changes one until `release`. */
export const keepNetwork = (): Promise<Release> => lock('pg_advisory_lock_shared');

/** Waits until no test file relies on the interfaces of this machine; those that come later wait for `release`. */
export const changeNetwork = (): Promise<Release> => lock('pg_advisory_lock');

/** PostgreSQL, which all test files share, releases the lock of a process that ends. */
async function lock(take: 'pg_advisory_lock' | 'pg_advisory_lock_shared'): Promise<Release> {
  const client = new pg.Client({ connectionString: testPostgresUrl() });
  await client.connect();
  await client.query(`SELECT ${take}(${LOCK})`);
  return () => client.end();
}
