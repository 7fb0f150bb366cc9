import { runAsLeader } from '#database/sql/leader';
import type { Database } from '#database/sql/connect';
import { createToken, listTokens, revokeToken, validToken } from '#database/access/token-queries';
import { hashOfToken, pepperOf } from './authenticate.ts';
import { makeToken } from './token-format.ts';

/** The token that the environment gives. */
const FROM_ENVIRONMENT = 'admin (HAULIER_ADMIN_TOKEN)';
const FIRST = 'admin (first start)';

/**
 * Installs the admin token of the environment where it is set, and revokes the token that it replaces. Without one in the
 * environment it makes an admin token, unless one exists.
 *
 * @param given HAULIER_ADMIN_TOKEN
 * @returns the token that was made, to be printed once: only its hash is kept
 */
export async function ensureAdminToken(
  database: Database,
  given: string | undefined,
  now: Date,
): Promise<string | undefined> {
  const pepper = await pepperOf(database, now);
  if (given !== undefined) {
    await installGiven(database, given, hashOfToken(given, pepper), now);
    return undefined;
  }
  const led = await runAsLeader(database, 'first-admin-token', () => makeFirst(database, pepper, now));
  return led?.result;
}

async function installGiven(database: Database, token: string, hash: string, now: Date): Promise<void> {
  const replaced = (await listTokens(database)).filter(
    (row) => row.name === FROM_ENVIRONMENT && row.hash !== hash && row.revokedAt === null,
  );
  for (const row of replaced) await revokeToken(database, row.id, now);
  if ((await validToken(database, hash, now)) === undefined) await createOnce(database, token, hash, now);
}

/** Several processes may start at once with the same token: the hash is unique, one of them makes the row. */
async function createOnce(database: Database, token: string, hash: string, now: Date): Promise<void> {
  try {
    await createToken(database, { name: FROM_ENVIRONMENT, hash, last4: token.slice(-4), scopes: ['admin'] }, now);
  } catch (error) {
    if ((await validToken(database, hash, now)) === undefined)
      throw new Error('HAULIER_ADMIN_TOKEN was revoked before: give another one', { cause: error });
  }
}

async function makeFirst(database: Database, pepper: string, now: Date): Promise<string | undefined> {
  const tokens = await listTokens(database);
  if (tokens.some((row) => row.revokedAt === null && row.scopes.includes('admin'))) return undefined;
  const token = makeToken('pat');
  await createToken(
    database,
    { name: FIRST, hash: hashOfToken(token, pepper), last4: token.slice(-4), scopes: ['admin'] },
    now,
  );
  return token;
}
