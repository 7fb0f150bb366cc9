import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Role } from '#core/scopes';
import { SECOND_MS } from '#core/units';
import type { Database } from '#database/sql/connect';
import { ensureSetting } from '#database/sql/setting-queries';
import { touchToken, validToken, type TokenRow } from '#database/access/token-queries';
import { makePepper, mayBeToken } from './token-format.ts';

/** Who sent a request: the owner of a token, or a user with a session. */
export interface Caller {
  /** Of the token or of the user. */
  readonly id: string;
  /** Null for a user. */
  readonly tokenId: string | null;
  /** Null for a token. */
  readonly userId: string | null;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Undefined: it may deploy every model to every host. */
  readonly limits?: TokenLimits | undefined;
  /** Of a user; undefined for a token. */
  readonly session?: { readonly id: string; readonly role: Role; readonly expiresAt: Date } | undefined;
}

/** What a token may deploy, and where. */
export interface TokenLimits {
  /** Patterns of model names; empty: all. */
  readonly models: readonly string[];
  /** Null: every host. */
  readonly selector: string | null;
}

export interface Authenticator {
  /**
   * @param ip address of the caller, which is kept with the last use
   * @returns undefined for a token that is unknown, expired, revoked or mistyped
   */
  authenticate(token: string, ip?: string): Promise<Caller | undefined>;
  /** Lets this process look up a token again at its next request; other processes do so within seconds. */
  forget(tokenId: string): void;
}

interface Known {
  readonly caller: Caller;
  readonly until: number;
}

/** A revoked token works for at most this long. */
const REMEMBERED_MS = 5 * SECOND_MS;
const MAX_REMEMBERED = 1000;

/** Keyed hash of a token: what the database holds, and useless without the pepper. */
export const hashOfToken = (token: string, pepper: string): string =>
  createHmac('sha256', pepper).update(token, 'utf8').digest('hex');

/** @returns the key of all token hashes of this installation; made at the first call */
export const pepperOf = (database: Database, now: Date): Promise<string> =>
  ensureSetting(database, 'token_pepper', makePepper(), now);

/**
 * Recognises tokens by their hash. The look-up takes the same time for every token, because it compares keyed hashes, which a
 * caller cannot predict without the pepper.
 */
export function createAuthenticator(database: Database, now: () => Date): Authenticator {
  const known = new Map<string, Known>();
  let pepper: string | undefined;

  const lookUp = async (hash: string, ip: string | undefined): Promise<Caller | undefined> => {
    const row = await validToken(database, hash, now());
    if (row === undefined || !isEqual(row.hash, hash)) return undefined;
    await touchToken(database, row.id, now(), ip);
    const { id, name, scopes } = row;
    const caller = { id, tokenId: id, userId: null, name, scopes, limits: limitsOf(row) };
    const expiresAt = row.expiresAt?.getTime() ?? Infinity;
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(hash, { caller, until: Math.min(expiresAt, now().getTime() + REMEMBERED_MS) });
    return caller;
  };

  return {
    async authenticate(token, ip) {
      if (!mayBeToken(token)) return undefined;
      pepper ??= await pepperOf(database, now());
      const hash = hashOfToken(token, pepper);
      const remembered = known.get(hash);
      if (remembered !== undefined && remembered.until > now().getTime()) return remembered.caller;
      known.delete(hash);
      return lookUp(hash, ip);
    },
    forget(tokenId) {
      for (const [hash, { caller }] of known) if (caller.tokenId === tokenId) known.delete(hash);
    },
  };
}

const limitsOf = ({ models, selector }: TokenRow): TokenLimits | undefined =>
  models.length === 0 && selector === null ? undefined : { models, selector };

const isEqual = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
