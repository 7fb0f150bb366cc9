import { randomBytes } from 'node:crypto';
import { SCOPE_OF_ROLE } from '#core/scopes';
import { SECOND_MS } from '#core/units';
import { createSession, liveSession, touchSession, type LiveSession } from '#database/access/session-queries';
import type { UserRow } from '#database/access/user-queries';
import type { Database } from '#database/sql/connect';
import { hashOfToken, pepperOf, type Caller } from '../authenticate.ts';

export interface SessionLimits {
  /** A session that is not used for this long is over; milliseconds. */
  readonly idleMs: number;
  /** A session is over after this long, however much it is used; milliseconds. */
  readonly lifeMs: number;
  /** Sessions are also given where a password crosses a network in the open. */
  readonly withoutTls: boolean;
}

export interface Sessions {
  readonly limits: SessionLimits;
  /** Begins a session of a user; its text is shown this once. */
  begin(user: UserRow, from: { readonly ip: string; readonly userAgent: string | null }): Promise<BegunSession>;
  /** @returns undefined for a session that is unknown, over, or of a disabled user */
  authenticate(token: string): Promise<UserCaller | undefined>;
  /** Lets this process look up the sessions of a user again at their next request; other processes do so within seconds. */
  forget(userId: string): void;
}

interface BegunSession {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: Date;
}

/** A user with a session. */
export interface UserCaller extends Caller {
  readonly userId: string;
  readonly session: NonNullable<Caller['session']>;
}

interface Known {
  readonly caller: UserCaller;
  readonly until: number;
}

/** A session that was ended by another process works for at most this long. */
const REMEMBERED_MS = 5 * SECOND_MS;
const MAX_REMEMBERED = 1000;
const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[A-Za-z0-9_-]{43}$/;

/** Sessions are kept in the database, so that every process knows them and each can be ended. */
export function createSessions(database: Database, now: () => Date, limits: SessionLimits): Sessions {
  const known = new Map<string, Known>();
  const { idleMs, lifeMs } = limits;

  const lookUp = async (hash: string): Promise<UserCaller | undefined> => {
    const row = await liveSession(database, hash, { now: now(), idleMs });
    if (row === undefined) return undefined;
    await touchSession(database, row.id, now());
    const caller = callerOf(row);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(hash, { caller, until: Math.min(row.expiresAt.getTime(), now().getTime() + REMEMBERED_MS) });
    return caller;
  };

  return {
    limits,
    async begin({ id: userId }, { ip, userAgent }) {
      const at = now();
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const hash = hashOfToken(token, await pepperOf(database, at));
      const expiresAt = new Date(at.getTime() + lifeMs);
      const shortened = userAgent?.slice(0, 200) ?? null;
      const { id } = await createSession(
        database,
        { userId, hash, expiresAt, ip, userAgent: shortened },
        { now: at, idleMs },
      );
      return { id, token, expiresAt };
    },
    async authenticate(token) {
      if (!TOKEN_FORM.test(token)) return undefined;
      const hash = hashOfToken(token, await pepperOf(database, now()));
      const remembered = known.get(hash);
      if (remembered !== undefined && remembered.until > now().getTime()) return remembered.caller;
      known.delete(hash);
      return lookUp(hash);
    },
    forget(userId) {
      for (const [hash, { caller }] of known) if (caller.userId === userId) known.delete(hash);
    },
  };
}

const callerOf = ({ id, userId, name, role, expiresAt }: LiveSession): UserCaller => ({
  ...{ id: userId, tokenId: null, userId, name, scopes: [SCOPE_OF_ROLE[role]] },
  session: { id, role, expiresAt },
});
