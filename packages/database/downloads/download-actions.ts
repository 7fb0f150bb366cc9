import type pg from 'pg';
import { allowedFrom, type DownloadEvent } from '#core/download-status';
import type { Database } from '../sql/connect.ts';
import { downloadById } from './download-queries.ts';
import { DOWNLOAD_COLUMNS, TAG_SQL, tagOf, type DownloadRow } from './download-row.ts';
import { lockSiblings, requeueSiblings, type ReplacedJob } from './requeue-siblings.ts';
import { NOT_LOST_SQL, nextStatusSql, renewedDeadlineSql } from './status-sql.ts';
import { inTransaction, sqlStateOf } from '../sql/transaction.ts';

/** Result of a user's action. */
export type DownloadActionResult =
  | { readonly done: true; readonly row: DownloadRow }
  /** `illegal`: not possible from `row.status`. `duplicate`: another unfinished row wants the same. `changed`: it has another tag. */
  | { readonly done: false; readonly why: 'illegal' | 'duplicate' | 'changed'; readonly row: DownloadRow }
  | { readonly done: false; readonly why: 'missing' };

export interface ActionOptions {
  /** For people; default: that it was asked for. */
  readonly reason?: string | undefined;
  /** Changes nothing when the download has another tag; see `tagOf`. */
  readonly onlyIfTag?: string | undefined;
}

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
export const pauseDownload = (
  database: Database,
  id: string,
  now: Date,
  { reason = 'paused on request', onlyIfTag }: ActionOptions = {},
): Promise<DownloadActionResult> => {
  const changes = `pause_reason = 'requested', reason = $5, retry_at = NULL, bytes_per_second = 0`;
  return act(database, { id, event: 'pause', now, onlyIfTag, changes, more: [reason] });
};

/**
 * Turns a worker's pause (for disk space, a source or the next attempt) into one that lasts until a resume request. The
 * status stays `paused`.
 *
 * @returns the row, or undefined when it is not paused, or held already
 */
export async function holdDownload(
  database: Database,
  id: string,
  now: Date,
  onlyIfTag?: string,
): Promise<DownloadRow | undefined> {
  const sql = `UPDATE downloads d SET pause_reason = 'requested', reason = 'paused on request', retry_at = NULL,
      updated_at = $2
    WHERE d.id = $1 AND d.status = 'paused' AND d.pause_reason IS DISTINCT FROM 'requested'
      AND ($3::text IS NULL OR ${TAG_SQL} = $3)
    RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await database.pool.query<DownloadRow>(sql, [id, now, onlyIfTag ?? null])).rows[0];
}

/** Goes on where it stopped, in a new generation and with a new budget; legal from paused, failed and cancelled. */
export const resumeDownload = (
  database: Database,
  id: string,
  now: Date,
  { onlyIfTag }: ActionOptions = {},
): Promise<DownloadActionResult> =>
  act(database, { id, event: 'resume', now, onlyIfTag, changes: NEW_GENERATION, more: [] });

const CANCELLED = `${NOT_LOST_SQL}, pause_reason = NULL, reason = $5, retry_at = NULL, bytes_per_second = 0, completed_at = $2`;

/**
 * Cancels the download and, in the same transaction, counts the files of its version again; its partial stays until the host's
 * sweep. The caller sends the commands.
 */
export async function cancelDownload(
  database: Database,
  id: string,
  now: Date,
  { reason = 'cancelled on request', onlyIfTag }: ActionOptions = {},
): Promise<CancelResult> {
  const move: Move = { id, event: 'cancel', now, onlyIfTag, changes: CANCELLED, more: [reason] };
  const done = await inTransaction(database, async (client) => {
    await lockSiblings(client, id);
    const row = await moved(client, move);
    return row && { row, replaced: await requeueSiblings(client, row, now) };
  });
  return done ? { done: true, ...done } : refusal(database, move, 'illegal');
}

/**
 * Sets the most bytes per second, from the next attempt on; the caller tells a worker that runs it now.
 *
 * @param bytesPerSecond at least 1; null lifts the limit
 */
export async function limitDownload(
  database: Database,
  id: string,
  bytesPerSecond: number | null,
  now: Date,
  { onlyIfTag }: ActionOptions = {},
): Promise<DownloadActionResult> {
  const sql = `UPDATE downloads d SET limit_bytes_per_second = $2, updated_at = $3
    WHERE d.id = $1 AND ($4::text IS NULL OR ${TAG_SQL} = $4) RETURNING ${DOWNLOAD_COLUMNS}`;
  const row = (await database.pool.query<DownloadRow>(sql, [id, bytesPerSecond, now, onlyIfTag ?? null])).rows[0];
  return row ? { done: true, row } : refusal(database, { id, onlyIfTag }, 'illegal');
}

/** One guarded update. `$1` is the id, `$2` the time; the changes begin with `$5`. */
interface Move {
  readonly id: string;
  readonly event: DownloadEvent;
  readonly now: Date;
  readonly onlyIfTag: string | undefined;
  readonly changes: string;
  readonly more: readonly unknown[];
}

/** When another process moved the row first, nothing changes and the result holds the row as it is. */
async function act(database: Database, move: Move): Promise<DownloadActionResult> {
  try {
    const row = await moved(database.pool, move);
    return row ? { done: true, row } : await refusal(database, move, 'illegal');
  } catch (error) {
    if (sqlStateOf(error) === UNIQUE_VIOLATION) return refusal(database, move, 'duplicate');
    throw error;
  }
}

/** @returns undefined when the event is illegal where the row stands, the row has another tag, or there is no such row */
async function moved(
  queryable: Pick<pg.ClientBase, 'query'>,
  { id, event, now, onlyIfTag, changes, more }: Move,
): Promise<DownloadRow | undefined> {
  const sql = `UPDATE downloads d SET status = ${nextStatusSql(event)}, updated_at = $2, ${changes}
    WHERE d.id = $1 AND d.status = ANY($3::text[]) AND ($4::text IS NULL OR ${TAG_SQL} = $4)
    RETURNING ${DOWNLOAD_COLUMNS}`;
  return (await queryable.query<DownloadRow>(sql, [id, now, allowedFrom(event), onlyIfTag ?? null, ...more])).rows[0];
}

async function refusal(
  database: Database,
  { id, onlyIfTag }: Pick<Move, 'id' | 'onlyIfTag'>,
  why: 'illegal' | 'duplicate',
): Promise<Extract<DownloadActionResult, { done: false }>> {
  const row = await downloadById(database, id);
  if (row === undefined) return { done: false, why: 'missing' };
  return { done: false, why: onlyIfTag !== undefined && tagOf(row) !== onlyIfTag ? 'changed' : why, row };
}
