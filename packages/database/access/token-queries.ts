import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import type { ListPosition } from '../downloads/download-queries.ts';
import type { ApiToken } from '../generated/client.ts';

export type TokenRow = ApiToken;

interface TokenDraft {
  readonly name: string;
  /** `pat` where it is left out. */
  readonly kind?: string | undefined;
  /** Keyed hash of the token (HMAC-SHA-256 with the pepper), hexadecimal. */
  readonly hash: string;
  /** Last four characters, so that people recognise it. */
  readonly last4: string;
  readonly scopes: readonly string[];
  readonly expiresAt?: Date | undefined;
  /** Patterns of the models that it may deploy; empty or left out: all. */
  readonly models?: readonly string[] | undefined;
  /** Selector of the hosts that it may deploy to; left out: all. */
  readonly selector?: string | undefined;
  readonly createdBy?: string | undefined;
}

export async function createToken(database: Database, token: TokenDraft, now: Date): Promise<TokenRow> {
  const { name, kind = 'pat', hash, last4, scopes, expiresAt, models = [], selector, createdBy } = token;
  return database.prisma.apiToken.create({
    data: {
      ...{ name, kind, hash, last4, scopes: [...scopes], models: [...models] },
      createdAt: now,
      expiresAt: expiresAt ?? null,
      selector: selector ?? null,
      createdBy: createdBy ?? null,
    },
  });
}

const notExpired = (now: Date) => ({ OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] });

/** @returns the token when it is neither revoked nor expired. */
export async function validToken(database: Database, hash: string, now: Date): Promise<TokenRow | undefined> {
  const token = await database.prisma.apiToken.findFirst({ where: { hash, revokedAt: null, ...notExpired(now) } });
  return token ?? undefined;
}

/** @returns undefined when there is none with this id */
export async function tokenById(database: Database, id: string): Promise<TokenRow | undefined> {
  return (await database.prisma.apiToken.findUnique({ where: { id } })) ?? undefined;
}

/**
 * Writes the last use at most once a minute, so that a busy token costs no write per request.
 *
 * @param ip address that it was used from
 */
export async function touchToken(database: Database, id: string, now: Date, ip?: string): Promise<void> {
  const minuteAgo = new Date(now.getTime() - 60_000);
  await database.prisma.apiToken.updateMany({
    where: { id, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: minuteAgo } }] },
    data: { lastUsedAt: now, ...(ip === undefined ? {} : { lastUsedIp: ip }) },
  });
}

/** Newest first, revoked ones included. */
export async function listTokens(database: Database): Promise<TokenRow[]> {
  return database.prisma.apiToken.findMany({ orderBy: { createdAt: 'desc' } });
}

export interface TokenPage {
  readonly state: 'active' | 'expired' | 'revoked' | 'all';
  readonly limit: number;
  /** The last row of the page before. */
  readonly after?: ListPosition | undefined;
  readonly now: Date;
}

/** Newest first. @returns at most one row more than the limit, which says that there is another page */
export async function pageOfTokens(database: Database, { state, limit, after, now }: TokenPage): Promise<TokenRow[]> {
  const inState = {
    active: { revokedAt: null, ...notExpired(now) },
    expired: { revokedAt: null, expiresAt: { lte: now } },
    revoked: { revokedAt: { not: null } },
    all: {},
  }[state];
  const later = after && {
    OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }],
  };
  return database.prisma.apiToken.findMany({
    where: { AND: [inState, later ?? {}] },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });
}

/** @returns false when there is no such token or it was revoked before. */
export async function revokeToken(database: Database, id: string, now: Date): Promise<boolean> {
  const { count } = await database.prisma.apiToken.updateMany({
    where: { id, revokedAt: null },
    data: { revokedAt: now },
  });
  return count === 1;
}

/**
 * Revokes a token unless no other valid token could make tokens afterwards. Two at once do not take each other's place: both
 * hold the rows of all admin tokens.
 *
 * @returns `kept` for the last admin token, `same` when it was revoked before
 */
export async function revokeUnlessLast(
  database: Database,
  id: string,
  now: Date,
): Promise<'revoked' | 'kept' | 'same' | 'missing'> {
  return inTransaction(database, async (client) => {
    const sql = `SELECT id, revoked_at AS "revokedAt", 'admin' = ANY(scopes) AS "isAdmin",
        expires_at IS NULL OR expires_at > $2 AS "isCurrent"
      FROM api_tokens WHERE id = $1 OR ('admin' = ANY(scopes) AND revoked_at IS NULL) ORDER BY id FOR UPDATE`;
    interface Held {
      readonly id: string;
      readonly revokedAt: Date | null;
      readonly isAdmin: boolean;
      readonly isCurrent: boolean;
    }
    const { rows } = await client.query<Held>(sql, [id, now]);
    const own = rows.find((row) => row.id === id);
    if (own === undefined) return 'missing';
    if (own.revokedAt !== null) return 'same';
    const isLast = !rows.some((row) => row.id !== id && row.isAdmin && row.isCurrent);
    if (own.isAdmin && own.isCurrent && isLast) return 'kept';
    await client.query('UPDATE api_tokens SET revoked_at = $2 WHERE id = $1', [id, now]);
    return 'revoked';
  });
}
