import type { Database } from '../sql/connect.ts';
import type { ApiToken } from '../generated/client.ts';

export type TokenRow = ApiToken;

export interface NewToken {
  readonly name: string;
  /** Keyed hash of the token (HMAC-SHA-256 with the pepper), hexadecimal. */
  readonly hash: string;
  /** Last four characters, so that people recognise it. */
  readonly last4: string;
  readonly scopes: readonly string[];
  readonly expiresAt?: Date | undefined;
}

export async function createToken(database: Database, token: NewToken, now: Date): Promise<TokenRow> {
  const { name, hash, last4, scopes, expiresAt } = token;
  return database.prisma.apiToken.create({
    data: { name, hash, last4, scopes: [...scopes], createdAt: now, expiresAt: expiresAt ?? null },
  });
}

/** @returns the token when it is neither revoked nor expired. */
export async function validToken(database: Database, hash: string, now: Date): Promise<TokenRow | undefined> {
  const token = await database.prisma.apiToken.findFirst({
    where: { hash, revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
  });
  return token ?? undefined;
}

/** Writes the last use at most once a minute, so that a busy token costs no write per request. */
export async function touchToken(database: Database, id: string, now: Date): Promise<void> {
  const minuteAgo = new Date(now.getTime() - 60_000);
  await database.prisma.apiToken.updateMany({
    where: { id, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: minuteAgo } }] },
    data: { lastUsedAt: now },
  });
}

/** Newest first, revoked ones included. */
export async function listTokens(database: Database): Promise<TokenRow[]> {
  return database.prisma.apiToken.findMany({ orderBy: { createdAt: 'desc' } });
}

/** @returns false when there is no such token or it was revoked before. */
export async function revokeToken(database: Database, id: string, now: Date): Promise<boolean> {
  const { count } = await database.prisma.apiToken.updateMany({
    where: { id, revokedAt: null },
    data: { revokedAt: now },
  });
  return count === 1;
}
