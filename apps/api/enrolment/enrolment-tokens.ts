import type { EnrolmentToken } from '#contracts/http/access/enrolment';
import { createEnrolmentToken, type EnrolmentTokenRow } from '#database/access/enrolment-tokens';
import { SECOND_MS } from '#core/units';
import { hashOfToken, pepperOf } from '../access/authenticate.ts';
import { makeToken } from '../access/token-format.ts';
import type { Dependencies } from '../dependencies.ts';
import { momentOf } from '../server/requests/moment.ts';

export interface EnrolmentTokenWish {
  readonly host?: string | undefined;
  readonly pool: boolean;
  readonly expiresInSeconds: number;
}

/** Makes a token with which one host enrols, once. @returns the token itself too: only its hash is kept */
export async function makeEnrolmentToken(
  { database, now }: Pick<Dependencies, 'database' | 'now'>,
  {
    host = null,
    pool,
    expiresInSeconds,
  }: Omit<EnrolmentTokenWish, 'host'> & { readonly host?: string | null | undefined },
  createdBy: string,
): Promise<{ row: EnrolmentTokenRow; token: string }> {
  const at = now();
  const token = makeToken('enr');
  const hash = hashOfToken(token, await pepperOf(database, at));
  const expiresAt = new Date(at.getTime() + expiresInSeconds * SECOND_MS);
  const row = await createEnrolmentToken(
    database,
    { hash, last4: token.slice(-4), host, mayPool: pool, createdBy, expiresAt },
    at,
  );
  return { row, token };
}

export const enrolmentTokenView = (row: EnrolmentTokenRow, now: Date): EnrolmentToken => ({
  id: row.id,
  last4: row.last4,
  host: row.host,
  pool: row.mayPool,
  state: stateOf(row, now),
  usedBy: row.usedBy,
  createdBy: row.createdBy,
  createdAt: momentOf(row.createdAt),
  expiresAt: momentOf(row.expiresAt),
});

function stateOf({ usedAt, revokedAt, expiresAt }: EnrolmentTokenRow, now: Date): EnrolmentToken['state'] {
  if (usedAt !== null) return 'used';
  if (revokedAt !== null) return 'revoked';
  return expiresAt > now ? 'usable' : 'expired';
}
