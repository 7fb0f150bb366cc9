import type { Role } from '#core/scopes';
import type { Database } from '../sql/connect.ts';
import type { Session } from '../generated/client.ts';

export type SessionRow = Session;

interface SessionDraft {
  readonly userId: string;
  /** Keyed hash of what the cookie holds, hexadecimal. */
  readonly hash: string;
  readonly expiresAt: Date;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** A session with its user. */
export interface LiveSession {
  readonly id: string;
  readonly hash: string;
  readonly userId: string;
  readonly name: string;
  readonly role: Role;
  readonly lastSeenAt: Date;
  readonly expiresAt: Date;
}

/** Begins a session, notes the sign-in, and forgets sessions that are over. @param idleMs a session unused for longer is over */
export async function createSession(
  { pool }: Database,
  { userId, hash, expiresAt, ip, userAgent }: SessionDraft,
  { now, idleMs }: { readonly now: Date; readonly idleMs: number },
): Promise<SessionRow> {
  await pool.query('DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2', [now, before(now, idleMs)]);
  await pool.query('UPDATE users SET last_sign_in_at = $2 WHERE id = $1', [userId, now]);
  const sql = `INSERT INTO sessions (user_id, hash, created_at, last_seen_at, expires_at, ip, user_agent)
    VALUES ($1, $2, $3, $3, $4, $5, $6) RETURNING ${SESSION_COLUMNS}`;
  return (await pool.query<SessionRow>(sql, [userId, hash, now, expiresAt, ip, userAgent])).rows[0]!;
}

const SESSION_COLUMNS = `id, user_id AS "userId", hash, created_at AS "createdAt", last_seen_at AS "lastSeenAt",
  expires_at AS "expiresAt", ip, user_agent AS "userAgent"`;

const before = (now: Date, ms: number): Date => new Date(now.getTime() - ms);

/** @returns undefined when it ended, was idle for too long, or its user is disabled */
export async function liveSession(
  { pool }: Database,
  hash: string,
  { now, idleMs }: { readonly now: Date; readonly idleMs: number },
): Promise<LiveSession | undefined> {
  const sql = `SELECT s.id, s.hash, s.user_id AS "userId", u.name, u.role, s.last_seen_at AS "lastSeenAt", s.expires_at AS "expiresAt"
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.hash = $1 AND s.expires_at > $2 AND s.last_seen_at > $3 AND u.disabled_at IS NULL`;
  return (await pool.query<LiveSession>(sql, [hash, now, before(now, idleMs)])).rows[0];
}

/** Writes the last use at most once a minute, so that a busy page costs no write per request. */
export async function touchSession({ pool }: Database, id: string, now: Date): Promise<void> {
  const sql = 'UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $3';
  await pool.query(sql, [id, now, before(now, 60_000)]);
}

/** Those that are not over, newest first. */
export async function sessionsOf(
  { prisma }: Database,
  userId: string,
  { now, idleMs }: { readonly now: Date; readonly idleMs: number },
): Promise<SessionRow[]> {
  return prisma.session.findMany({
    where: { userId, expiresAt: { gt: now }, lastSeenAt: { gt: before(now, idleMs) } },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  });
}

/** @returns false when the user has no such session */
export async function endSession({ prisma }: Database, userId: string, id: string): Promise<boolean> {
  return (await prisma.session.deleteMany({ where: { id, userId } })).count === 1;
}

/** @returns how many ended */
export async function endSessionsOf({ prisma }: Database, userId: string): Promise<number> {
  return (await prisma.session.deleteMany({ where: { userId } })).count;
}
