import { DAY_MS, HOUR_MS, SECOND_MS } from '#core/units';
import {
  dropOldAttempts,
  forgetAttempts,
  reserveAttempt,
  takeBackAttempt,
  type BackoffRule,
} from '#database/access/sign-in-queries';
import { userByName, type UserRow } from '#database/access/user-queries';
import { parseIp } from '#http/address/ip-address';
import { RequestError } from '../../server/errors/request-error.ts';
import type { Dependencies } from '../../dependencies.ts';
import { hashOfToken, pepperOf } from '../authenticate.ts';
import type { Passwords } from './passwords.ts';

type SignInDeps = Pick<Dependencies, 'database' | 'now'>;

/** A person mistypes a few times; a program that guesses gets some hundred attempts a day. */
const OF_ACCOUNT: BackoffRule = { free: 5, longestS: 300, forgetAfterMs: HOUR_MS };
/** Many people may share an address, such as that of a proxy. */
const OF_ADDRESS: BackoffRule = { free: 30, longestS: 60, forgetAfterMs: HOUR_MS };

/**
 * Checks a password. A wrong name, a wrong password and a disabled user get the same answer after the same work, and an unknown
 * name is slowed down like a known one.
 *
 * @throws RequestError `wrong-credentials`, or `too-many-requests` while the account or the address has to wait
 */
export async function signIn(
  deps: SignInDeps,
  passwords: Passwords,
  { user, password, ip }: { readonly user: string; readonly password: string; readonly ip: string },
): Promise<UserRow> {
  const name = user.toLowerCase();
  const found = await attempt(deps, { account: name, ip }, async () => {
    const row = await userByName(deps.database, name);
    const isRight = await passwords.matches(row?.passwordHash, password);
    return isRight && row !== undefined && row.disabledAt === null ? row : undefined;
  });
  if (found === undefined) throw new RequestError('wrong-credentials', 'the name or the password is wrong');
  return found;
}

/**
 * Makes an attempt that may be one of many guesses.
 *
 * @param who the account that is tried, where there is one, and the address that it is tried from
 * @param work the attempt; undefined when it failed
 * @throws RequestError `too-many-requests` when earlier attempts failed and the next one has to wait
 */
export async function attempt<T>(
  { database, now }: SignInDeps,
  who: { readonly account?: string; readonly ip: string },
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const pepper = await pepperOf(database, now());
  const address = hashOfToken(`address ${networkOf(who.ip)}`, pepper);
  const account = who.account === undefined ? undefined : hashOfToken(`account ${who.account}`, pepper);
  await dropOldAttempts(database, new Date(now().getTime() - DAY_MS));
  await reserve(database, address, OF_ADDRESS, now());
  if (account !== undefined) await reserve(database, account, OF_ACCOUNT, now());
  const result = await work();
  if (result === undefined) return undefined;
  await takeBackAttempt(database, address);
  if (account !== undefined) await forgetAttempts(database, account);
  return result;
}

async function reserve(database: SignInDeps['database'], key: string, rule: BackoffRule, now: Date): Promise<void> {
  const until = await reserveAttempt(database, key, rule, now);
  if (until === null) return;
  const seconds = Math.max(1, Math.ceil((until.getTime() - now.getTime()) / SECOND_MS));
  throw new RequestError(
    'too-many-requests',
    `too many attempts to sign in failed: the next one is possible in ${seconds} s`,
    { retryAfterS: seconds },
  );
}

/** One customer of a provider has a whole network of 64 bits. */
function networkOf(ip: string): string {
  const bytes = parseIp(ip);
  return bytes?.length === 16 && !ip.startsWith('::ffff:') ? Buffer.from(bytes.subarray(0, 8)).toString('hex') : ip;
}
