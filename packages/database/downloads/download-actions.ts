import type pg from 'pg';
import { allowedFrom, type DownloadEvent } from '#core/download-status';
import type { Database } from '../sql/connect.ts';
import { downloadById } from './download-queries.ts';
import { DOWNLOAD_COLUMNS, type DownloadRow } from './download-row.ts';
import { lockSiblings, requeueSiblings, type ReplacedJob } from './requeue-siblings.ts';
import { NOT_LOST_SQL, nextStatusSql, renewedDeadlineSql } from './status-sql.ts';
import { inTransaction, sqlStateOf } from '../sql/transaction.ts';

/** Result of a user's action. */
export type DownloadActionResult =
  | { readonly done: true; readonly row: DownloadRow }
  /** `illegal`: not possible from `row.status`. `duplicate`: another unfinished row wants the same. */
  | { readonly done: false; readonly why: 'illegal' | 'duplicate'; readonly row: DownloadRow }
  | { readonly done: false; readonly why: 'missing' };

/** Which jobs of other files of the version were replaced, because there is one less to wait for. */
export type CancelResult =
  | { readonly done: true; readonly row: DownloadRow; readonly replaced: readonly ReplacedJob[] }
  | Extract<DownloadActionResult, { done: false }>;

const UNIQUE_VIOLATION = '23505';

/** A new job in a new generation, with a new budget of attempts and a new deadline. */
const NEW_GENERATION = `generation = d.generation + 1, requeues = 0, attempts_before = 0, attempts_used = 0, event_at = NULL,
  retry_at = NULL, pause_reason = NULL, reason = NULL, error_kind = NULL, error = NULL, outcome = NULL,
  completed_at = NULL, repair_waits = false, ${renewedDeadlineSql('$2')}`;

/** Pauses the download until a resume request. The caller sends the command, for `row.generation` and earlier ones. */
export const pauseDownload = (database: Database, id: string, now: Date, reason = 'paused on request') =>
  act(database, id, 'pause', now, `pause_reason = 'requested', reason = $4, retry_at = NULL, bytes_per_second = 0`, [
    reason,
  ]);

/**
 * Turns a worker's pause (for disk space, a source or the next attempt) into one that lasts until a resume request. The
 * status stays `paused`.
 *
 * @returns the row, or undefined when it is not paused, or held already
 */
export async function holdDownload(database: Database, id: string, now: Date): Promise<DownloadRow | undefined> {
  const sql = `UPDATE downloads d SET pause_reason = 'requested', reason = 'paused on request', retry_at = NULL,
      updated_at = $2
    WHERE d.id = $1 AND d.status = 'paused' AND d.pause_reason IS DISTINCT FROM 'requested'
    RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await database.pool.query<DownloadRow>(sql, [id, now])).rows[0];
}

/** Goes on where it stopped, in a new generation and with a new budget; legal from paused, failed and cancelled. */
export const resumeDownload = (database: Database, id: string, now: Date) =>
  act(database, id, 'resume', now, NEW_GENERATION);

const CANCELLED = `${NOT_LOST_SQL}, pause_reason = NULL, reason = $4, retry_at = NULL, bytes_per_second = 0, completed_at = $2`;

/**
 * Cancels the download and, in the same transaction, counts the files of its version again; its partial stays until the host's
 * sweep. The caller sends the commands.
 */
export async function cancelDownload(
  database: Database,
  id: string,
  now: Date,
  reason = 'cancelled on request',
): Promise<CancelResult> {
  const done = await inTransaction(database, async (client) => {
    await lockSiblings(client, id);
    const row = await moved(client, id, 'cancel', now, CANCELLED, [reason]);
    return row && { row, replaced: await requeueSiblings(client, row, now) };
  });
  return done ? { done: true, ...done } : refusal(database, id, 'illegal');
}

/**
 * Sets the most bytes per second, from the next attempt on; the caller tells a worker that runs it now.
 *
 * @param bytesPerSecond at least 1; null lifts the limit
 * @returns undefined when there is no such download
 */
export async function limitDownload(
  database: Database,
  id: string,
  bytesPerSecond: number | null,
  now: Date,
): Promise<DownloadRow | undefined> {
  const sql = `UPDATE downloads d SET limit_bytes_per_second = $2, updated_at = $3 WHERE d.id = $1
    RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await database.pool.query<DownloadRow>(sql, [id, bytesPerSecond, now])).rows[0];
}

/** One guarded update: when another process moved the row first, nothing changes and the result holds the row as it is. */
async function act(
  database: Database,
  id: string,
  event: DownloadEvent,
  now: Date,
  changes: string,
  more: unknown[] = [],
): Promise<DownloadActionResult> {
  try {
    const row = await moved(database.pool, id, event, now, changes, more);
    return row ? { done: true, row } : await refusal(database, id, 'illegal');
  } catch (error) {
    if (sqlStateOf(error) === UNIQUE_VIOLATION) return refusal(database, id, 'duplicate');
    throw error;
  }
}

/** @returns undefined when the event is illegal where the row stands, or there is no such row */
async function moved(
  queryable: Pick<pg.ClientBase, 'query'>,
  id: string,
  event: DownloadEvent,
  now: Date,
  changes: string,
  more: readonly unknown[],
): Promise<DownloadRow | undefined> {
  const sql = `UPDATE downloads d SET status = ${nextStatusSql(event)}, updated_at = $2, ${changes}
    WHERE d.id = $1 AND d.status = ANY($3::text[]) RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await queryable.query<DownloadRow>(sql, [id, now, allowedFrom(event), ...more])).rows[0];
}

async function refusal(
  database: Database,
  id: string,
  why: 'illegal' | 'duplicate',
): Promise<Extract<DownloadActionResult, { done: false }>> {
  const row = await downloadById(database, id);
  return row ? { done: false, why, row } : { done: false, why: 'missing' };
}
