import type { EnrolmentToken } from '../generated/client.ts';
import type { Database } from '../sql/connect.ts';

export type EnrolmentTokenRow = EnrolmentToken;

export interface NewEnrolmentToken {
  /** Keyed hash of the token, hexadecimal. */
  readonly hash: string;
  readonly last4: string;
  /** Null: any host that is not enrolled. */
  readonly host: string | null;
  readonly mayPool: boolean;
  readonly createdBy: string;
  readonly expiresAt: Date;
}

export async function createEnrolmentToken(
  database: Database,
  token: NewEnrolmentToken,
  now: Date,
): Promise<EnrolmentTokenRow> {
  return database.prisma.enrolmentToken.create({ data: { ...token, createdAt: now } });
}

/** @returns the token while it can be used */
export async function usableEnrolmentToken(
  database: Database,
  hash: string,
  now: Date,
): Promise<EnrolmentTokenRow | undefined> {
  const where = { hash, usedAt: null, revokedAt: null, expiresAt: { gt: now } };
  return (await database.prisma.enrolmentToken.findFirst({ where })) ?? undefined;
}

const MAX_LISTED = 1000;

/** Newest first. */
export async function listEnrolmentTokens(database: Database): Promise<EnrolmentTokenRow[]> {
  return database.prisma.enrolmentToken.findMany({
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: MAX_LISTED,
  });
}

/** @returns the token as it is now; undefined when there is none */
export async function revokeEnrolmentToken(
  database: Database,
  id: string,
  now: Date,
): Promise<EnrolmentTokenRow | undefined> {
  await database.prisma.enrolmentToken.updateMany({
    where: { id, usedAt: null, revokedAt: null },
    data: { revokedAt: now },
  });
  return (await database.prisma.enrolmentToken.findUnique({ where: { id } })) ?? undefined;
}
