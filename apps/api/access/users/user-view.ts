import { SCOPE_OF_ROLE } from '#core/scopes';
import type { Session, UserMe } from '#contracts/http/access/session';
import type { User } from '#contracts/http/access/users';
import type { SessionRow } from '#database/access/session-queries';
import type { UserRow } from '#database/access/user-queries';
import { momentOf, momentOrNull } from '../../server/requests/moment.ts';
import type { UserCaller } from './sessions.ts';

export const userView = (row: UserRow): User => ({
  id: row.id,
  name: row.name,
  role: row.role,
  state: row.disabledAt === null ? 'active' : 'disabled',
  hasPassword: row.passwordHash !== null,
  createdAt: momentOf(row.createdAt),
  createdBy: row.createdBy,
  lastSignInAt: momentOrNull(row.lastSignInAt),
  passwordChangedAt: momentOrNull(row.passwordChangedAt),
});

/** @param currentId the session of the request, when a user asks */
export const sessionView = (row: SessionRow, currentId: string | undefined): Session => ({
  id: row.id,
  isCurrent: row.id === currentId,
  createdAt: momentOf(row.createdAt),
  lastSeenAt: momentOf(row.lastSeenAt),
  expiresAt: momentOf(row.expiresAt),
  ip: row.ip,
  userAgent: row.userAgent,
});

export const userMeView = ({ id, name, role, passwordHash }: UserRow, { session }: UserCaller): UserMe => ({
  kind: 'user',
  ...{ id, name, role, scopes: [SCOPE_OF_ROLE[role]], hasPassword: passwordHash !== null },
  expiresAt: momentOf(session.expiresAt),
});
