import type pg from 'pg';
import type { Database } from '../sql/connect.ts';

/** What is known of a write before it is carried out. */
export interface AuditStart {
  readonly at: Date;
  readonly requestId: string | null;
  readonly tokenId: string | null;
  /** Of the user who was signed in; null for a token. */
  readonly userId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly method: string | null;
  readonly path: string | null;
  readonly ip: string | null;
  /** Redacted. */
  readonly request: unknown;
}

export interface AuditEnd {
  readonly target: string | null;
  readonly before: unknown;
  readonly after: unknown;
  /** Of the answer. */
  readonly status: number;
  readonly result: string;
}

export interface AuditRow extends AuditStart, Omit<AuditEnd, 'status' | 'result'> {
  readonly sequence: number;
  readonly status: number | null;
  readonly result: string | null;
}

type Queryable = Pick<pg.ClientBase, 'query'>;

/** @returns its sequence, for `completeAudit` */
export async function beginAudit({ pool }: { readonly pool: Queryable }, start: AuditStart): Promise<number> {
  const { at, requestId, tokenId, userId, actor, action, method, path, ip, request } = start;
  const sql = `INSERT INTO audit (at, request_id, token_id, user_id, actor, action, method, path, ip, request)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb) RETURNING sequence`;
  const parameters = [at, requestId, tokenId, userId, actor, action, method, path, ip, jsonOf(request)];
  return (await pool.query<{ sequence: number }>(sql, parameters)).rows[0]!.sequence;
}

/** Once for each row: the database refuses any other change. */
export async function completeAudit(
  { pool }: { readonly pool: Queryable },
  sequence: number,
  { target, before, after, status, result }: AuditEnd,
): Promise<void> {
  const sql = `UPDATE audit SET target = $2, before = $3::jsonb, after = $4::jsonb, status = $5, result = $6
    WHERE sequence = $1 AND status IS NULL`;
  await pool.query(sql, [sequence, target, jsonOf(before), jsonOf(after), status, result]);
}

interface AuditRowFilter {
  readonly actor?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly userId?: string | undefined;
  readonly action?: string | undefined;
  /** Beginning of the target. */
  readonly target?: string | undefined;
  readonly result?: string | undefined;
  readonly requestId?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Only rows before this sequence. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Newest first. @returns at most one row more than the limit, which says that there is another page */
export async function listAudit({ pool }: Database, filter: AuditRowFilter): Promise<AuditRow[]> {
  const sql = `SELECT sequence, at, request_id AS "requestId", token_id AS "tokenId", user_id AS "userId", actor, action, method, path,
      target, ip, request, before, after, status, result FROM audit
    WHERE ($1::text IS NULL OR actor = $1) AND ($2::uuid IS NULL OR token_id = $2) AND ($3::text IS NULL OR action = $3)
      AND ($4::text IS NULL OR starts_with(target, $4))
      AND ($5::text IS NULL OR coalesce(result, 'unknown') = $5) AND ($6::text IS NULL OR request_id = $6)
      AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)
      AND ($9::bigint IS NULL OR sequence < $9) AND ($10::uuid IS NULL OR user_id = $10)
    ORDER BY sequence DESC LIMIT $11`;
  const { actor, tokenId, action, target, result, requestId, since, until, before, userId, limit } = filter;
  const given = [actor, tokenId, action, target, result, requestId, since, until, before, userId];
  return (await pool.query<AuditRow>(sql, [...given.map((value) => value ?? null), limit + 1])).rows;
}

const jsonOf = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);
