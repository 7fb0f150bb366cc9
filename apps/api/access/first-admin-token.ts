import { runAsLeader } from '#database/sql/leader';
import type { Database } from '#database/sql/connect';
import { createToken, listTokens, revokeToken, validToken } from '#database/access/token-queries';
import { hashOfToken, pepperOf } from './authenticate.ts';
import { recordLocalWrite } from './audit/audit-writes.ts';
import { makeToken } from './token-format.ts';

/** The token that the environment gives. */
const FROM_ENVIRONMENT = 'admin (HAULIER_ADMIN_TOKEN)';
const FIRST = 'admin (first start)';
/** The actor of what the start of the API does by itself. */
const START = 'start of the API';

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
  for (const row of replaced) {
    await revokeToken(database, row.id, now);
    await recordLocalWrite(database, { actor: START, now, action: 'revokeToken', target: `tokens/${row.id}` });
  }
  if ((await validToken(database, hash, now)) === undefined) await createOnce(database, token, hash, now);
}

/** Several processes may start at once with the same token: the hash is unique, one of them makes the row. */
async function createOnce(database: Database, token: string, hash: string, now: Date): Promise<void> {
  try {
    const given = { name: FROM_ENVIRONMENT, hash, last4: token.slice(-4), scopes: ['admin'], createdBy: START };
    const { id } = await createToken(database, given, now);
    const after = { name: FROM_ENVIRONMENT, scopes: ['admin'] };
    await recordLocalWrite(database, { actor: START, now, action: 'createToken', target: `tokens/${id}`, after });
  } catch (error) {
    if ((await validToken(database, hash, now)) === undefined)
      throw new Error('HAULIER_ADMIN_TOKEN was revoked before: give another one', { cause: error });
  }
}

async function makeFirst(database: Database, pepper: string, now: Date): Promise<string | undefined> {
  const tokens = await listTokens(database);
  const isUsable = ({ revokedAt, expiresAt }: (typeof tokens)[number]): boolean =>
    revokedAt === null && (expiresAt === null || expiresAt > now);
  if (tokens.some((row) => isUsable(row) && row.scopes.includes('admin'))) return undefined;
  return makeAdminToken(database, FIRST, { pepper, now, actor: START });
}

/**
 * Makes an admin token without any other token, for the operator of the database who lost the last one.
 *
 * @returns the token, to be printed once
 */
export async function createLostAdminToken(database: Database, name: string, now: Date): Promise<string> {
  return makeAdminToken(database, name, {
    pepper: await pepperOf(database, now),
    now,
    actor: 'command line of the API',
  });
}

async function makeAdminToken(
  database: Database,
  name: string,
  { pepper, now, actor }: { readonly pepper: string; readonly now: Date; readonly actor: string },
): Promise<string> {
  const token = makeToken('pat');
  const hash = hashOfToken(token, pepper);
  const made = { name, hash, last4: token.slice(-4), scopes: ['admin'], createdBy: actor };
  const { id } = await createToken(database, made, now);
  await recordLocalWrite(database, {
    actor,
    now,
    action: 'createToken',
    target: `tokens/${id}`,
    after: { name, scopes: ['admin'] },
  });
  return token;
}
