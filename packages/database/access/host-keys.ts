import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

/** What an enrolled host proves itself with. */
export interface HostKeyRow {
  readonly id: string;
  readonly host: string;
  /** In the case that people see it in. */
  readonly shownHost: string;
  /** Ed25519, 32 bytes in base64. */
  readonly publicKey: string;
  readonly redisUser: string;
  /** SHA-256 of the password, hexadecimal. */
  readonly redisPassword: string;
  /** The host may run jobs of the pool and checks of versions. */
  readonly mayPool: boolean;
  readonly enrolledAt: Date;
  readonly revokedAt: Date | null;
}

const COLUMNS = `k.id, k.host, coalesce((SELECT h.shown_name FROM hosts h WHERE h.name = k.host), k.host) AS "shownHost",
  k.public_key AS "publicKey", k.redis_user AS "redisUser", k.redis_password AS "redisPassword", k.may_pool AS "mayPool",
  k.enrolled_at AS "enrolledAt", k.revoked_at AS "revokedAt"`;

/** @returns the keys of those of the hosts that ever enrolled, revoked ones included */
export async function keysOfHosts(database: Database, hosts: readonly string[]): Promise<Map<string, HostKeyRow>> {
  const sql = `SELECT ${COLUMNS} FROM host_keys k WHERE k.host = ANY($1::text[])`;
  const { rows } = await database.pool.query<HostKeyRow>(sql, [hosts]);
  return new Map(rows.map((row) => [row.host, row]));
}

/** @returns the hosts that are enrolled now */
export async function enrolledHosts(database: Database): Promise<HostKeyRow[]> {
  const sql = `SELECT ${COLUMNS} FROM host_keys k WHERE k.revoked_at IS NULL ORDER BY k.host`;
  return (await database.pool.query<HostKeyRow>(sql)).rows;
}

/** @returns the enrolled host that a worker token belongs to */
export async function hostOfWorkerToken(database: Database, hash: string): Promise<HostKeyRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM host_keys k WHERE k.worker_token_hash = $1 AND k.revoked_at IS NULL`;
  return (await database.pool.query<HostKeyRow>(sql, [hash])).rows[0];
}

export interface NewHostKey {
  readonly id: string;
  readonly host: string;
  readonly shownHost: string;
  readonly publicKey: string;
  readonly workerTokenHash: string;
  readonly redisUser: string;
  readonly redisPassword: string;
}

export type EnrolOutcome = 'enrolled' | 'token-refused' | 'host-enrolled';

/**
 * Uses up an enrolment token and stores the key of its host, which is known from then on. A host that is enrolled keeps its key
 * unless the token is for that host alone.
 *
 * @param tokenHash of the enrolment token
 */
export async function enrolHost(
  database: Database,
  tokenHash: string,
  key: NewHostKey,
  now: Date,
): Promise<EnrolOutcome> {
  const use = `UPDATE enrolment_tokens t SET used_at = $3, used_by = $2
    WHERE t.hash = $1 AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.expires_at > $3 AND (t.host IS NULL OR t.host = $2)
    RETURNING t.host, t.may_pool AS "mayPool"`;
  const store = `INSERT INTO host_keys AS k (host, id, public_key, worker_token_hash, redis_user, redis_password, may_pool, enrolled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (host) DO UPDATE SET id = excluded.id, public_key = excluded.public_key,
      worker_token_hash = excluded.worker_token_hash, redis_user = excluded.redis_user,
      redis_password = excluded.redis_password, may_pool = excluded.may_pool, boots = '[]',
      enrolled_at = excluded.enrolled_at, revoked_at = NULL
    WHERE k.revoked_at IS NOT NULL OR $9`;
  const know = `INSERT INTO hosts AS h (name, shown_name, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3)
    ON CONFLICT (name) DO UPDATE SET shown_name = excluded.shown_name`;
  const { host, shownHost } = key;
  const work = inTransaction(database, async (client): Promise<EnrolOutcome> => {
    const [token] = (await client.query<{ host: string | null; mayPool: boolean }>(use, [tokenHash, host, now])).rows;
    if (token === undefined) return 'token-refused';
    const { id, publicKey, workerTokenHash, redisUser, redisPassword } = key;
    const values = [host, id, publicKey, workerTokenHash, redisUser, redisPassword, token.mayPool, now];
    // The token stays good: it may be meant for another host.
    if ((await client.query(store, [...values, token.host !== null])).rowCount === 0) throw new HostEnrolledError();
    await client.query(know, [host, shownHost, now]);
    return 'enrolled';
  });
  return work.catch((error: unknown) => {
    if (error instanceof HostEnrolledError) return 'host-enrolled';
    throw error;
  });
}

/** Rolls the transaction back. */
class HostEnrolledError extends Error {}

/** @returns when the host was revoked, now or before; undefined when it never enrolled */
export async function revokeHost(database: Database, host: string, now: Date): Promise<Date | undefined> {
  const sql = `UPDATE host_keys SET revoked_at = coalesce(revoked_at, $2) WHERE host = $1 RETURNING revoked_at AS "revokedAt"`;
  return (await database.pool.query<{ revokedAt: Date }>(sql, [host, now])).rows[0]?.revokedAt;
}
