import type { Token } from '#contracts/http/access/tokens';
import type { TokenRow } from '#database/access/token-queries';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

export function tokenView(row: TokenRow, now: Date): Token {
  const { id, name, kind, last4, scopes, models, selector, createdBy, lastUsedIp } = row;
  const isExpired = row.expiresAt !== null && row.expiresAt <= now;
  return {
    ...{ id, name, kind, last4, scopes, models, selector, createdBy, lastUsedIp },
    state: row.revokedAt !== null ? 'revoked' : isExpired ? 'expired' : 'active',
    createdAt: momentOf(row.createdAt),
    expiresAt: momentOrNull(row.expiresAt),
    lastUsedAt: momentOrNull(row.lastUsedAt),
    revokedAt: momentOrNull(row.revokedAt),
  };
}
