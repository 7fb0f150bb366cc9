import { randomBytes } from 'node:crypto';
import { DAY_MS } from '#core/units';
import { addSetupCode, useSetupCode } from '#database/access/sign-in-queries';
import { adminWithoutPassword, changeUser, createUser, hasAdmin, type UserRow } from '#database/access/user-queries';
import type { Database } from '#database/sql/connect';
import { hashOfToken, pepperOf } from '../authenticate.ts';

const CODE_BYTES = 16;
const VALID_FOR_MS = DAY_MS;
/** The actor of what a setup code does. */
const SETUP = 'setup code';
const FIRST_NAMES = ['admin', ...Array.from({ length: 98 }, (_, index) => `admin-${index + 2}`)];

/**
 * Makes a code that signs an admin in once, while no admin has a password. Each start of a process makes one of its own, and the
 * use of one takes all others with it.
 *
 * @returns the code, to be printed once: only its hash is kept; undefined when an admin has a password
 */
export async function ensureSetupCode(database: Database, now: Date): Promise<string | undefined> {
  if (await hasAdmin(database)) return undefined;
  const code = randomBytes(CODE_BYTES).toString('base64url');
  const expiresAt = new Date(now.getTime() + VALID_FOR_MS);
  await addSetupCode(database, hashOfToken(code, await pepperOf(database, now)), expiresAt, now);
  return code;
}

/** @returns false for a code that is unknown, used or over, and once an admin has a password */
export async function takeSetupCode(database: Database, code: string, now: Date): Promise<boolean> {
  const hash = hashOfToken(code, await pepperOf(database, now));
  return (await useSetupCode(database, hash, now)) && !(await hasAdmin(database));
}

/** The admin that a setup code signs in: the one of an earlier code, else a new one without a password. */
export async function firstAdmin(database: Database, now: Date): Promise<UserRow> {
  const earlier = await adminWithoutPassword(database);
  if (earlier !== undefined) return earlier;
  for (const name of FIRST_NAMES) {
    const made = await createUser(database, { name, role: 'admin', passwordHash: null, createdBy: SETUP }, now);
    if (made !== undefined) return made;
  }
  throw new Error(`every name from admin to ${FIRST_NAMES.at(-1)} is taken`);
}

/**
 * Makes the first admin, or gives a password to the one of that name whom an earlier code signed in.
 *
 * @returns undefined when another user has the name
 */
export async function setUpAdmin(
  database: Database,
  { name, passwordHash }: { readonly name: string; readonly passwordHash: string },
  now: Date,
): Promise<UserRow | undefined> {
  const made = await createUser(database, { name, role: 'admin', passwordHash, createdBy: SETUP }, now);
  if (made !== undefined) return made;
  const earlier = await adminWithoutPassword(database);
  if (earlier?.name !== name) return undefined;
  const changed = await changeUser(database, name, { passwordHash }, { now });
  return changed.done === 'changed' ? changed.user : undefined;
}
