import type { Database } from '../sql/connect.ts';

/** How failed attempts slow further ones down. */
export interface BackoffRule {
  /** So many attempts in a row cost nothing. */
  readonly free: number;
  /** The pause doubles from one second with each further one, up to this; seconds. */
  readonly longestS: number;
  /** Failures are forgotten after this long without another; milliseconds. */
  readonly forgetAfterMs: number;
}

/**
 * Counts an attempt before it is made, so that many at once are counted too.
 *
 * @param key keyed hash of the account or of the address
 * @returns null when the attempt may be made, else when the next one may be
 */
export async function reserveAttempt(
  { pool }: Database,
  key: string,
  { free, longestS, forgetAfterMs }: BackoffRule,
  now: Date,
): Promise<Date | null> {
  const sql = `INSERT INTO sign_in_failures AS f (key, failures, last_at, blocked_until) VALUES ($1, 1, $2, 'epoch')
    ON CONFLICT (key) DO UPDATE SET last_at = $2,
      failures = CASE WHEN f.last_at < $3 THEN 1 ELSE f.failures + 1 END,
      blocked_until = CASE WHEN f.last_at < $3 OR f.failures + 1 < $4 THEN f.blocked_until
        ELSE $2::timestamptz + make_interval(secs => least($5, power(2, least(f.failures + 1 - $4, 30)))) END
    WHERE f.blocked_until <= $2`;
  const parameters = [key, now, new Date(now.getTime() - forgetAfterMs), free, longestS];
  if ((await pool.query(sql, parameters)).rowCount === 1) return null;
  const found = await pool.query<{ until: Date }>(
    'SELECT blocked_until AS until FROM sign_in_failures WHERE key = $1',
    [key],
  );
  return found.rows[0]?.until ?? null;
}

/** The attempt succeeded: it was no failure. */
export async function forgetAttempts({ pool }: Database, key: string): Promise<void> {
  await pool.query('DELETE FROM sign_in_failures WHERE key = $1', [key]);
}

/** One attempt of an address succeeded: it counts no longer, the others do. */
export async function takeBackAttempt({ pool }: Database, key: string): Promise<void> {
  const sql = `UPDATE sign_in_failures SET failures = greatest(failures - 1, 0), blocked_until = 'epoch' WHERE key = $1`;
  await pool.query(sql, [key]);
}

/** Drops counts that are forgotten anyway. */
export async function dropOldAttempts({ pool }: Database, before: Date): Promise<void> {
  await pool.query('DELETE FROM sign_in_failures WHERE last_at < $1', [before]);
}

/** Keeps the hash of a setup code, and drops those that are over. */
export async function addSetupCode({ pool }: Database, hash: string, expiresAt: Date, now: Date): Promise<void> {
  await pool.query('DELETE FROM setup_codes WHERE expires_at <= $1', [now]);
  await pool.query('INSERT INTO setup_codes (hash, expires_at) VALUES ($1, $2)', [hash, expiresAt]);
}

/** Uses a code up, and all others with it. @returns false for a code that is unknown, used or over */
export async function useSetupCode({ pool }: Database, hash: string, now: Date): Promise<boolean> {
  const sql = `WITH found AS (SELECT 1 FROM setup_codes WHERE hash = $1 AND expires_at > $2)
    DELETE FROM setup_codes WHERE EXISTS (SELECT 1 FROM found) RETURNING hash`;
  const { rows } = await pool.query<{ hash: string }>(sql, [hash, now]);
  return rows.some((row) => row.hash === hash);
}

/** Codes are worth nothing once an admin has a password. */
export async function dropSetupCodes({ pool }: Database): Promise<void> {
  await pool.query('DELETE FROM setup_codes');
}
