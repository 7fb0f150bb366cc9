import type pg from 'pg';
import type { DownloadRow } from './download-row.ts';
import { REQUEUE_SQL } from './outbox-queries.ts';
import { LIVE_SQL, legalSql, nextStatusSql, renewedDeadlineSql } from './status-sql.ts';

/** A generation whose job is to be stopped: the next one takes its place. */
export interface ReplacedJob {
  readonly id: string;
  readonly host: string | null;
  readonly generation: number;
}

/** The other files of the version `$3` of the model `$2` that are wanted on the host `$1`; `$4` is the path that is not. */
const SIBLING = `d.host = $1 AND d.model = $2 AND d.version = $3 AND d.path <> $4 AND d.status <> 'cancelled'`;

/** No row without another version: each file is shown as it arrives. No row while another download wants the path. */
const COUNT_MATTERS = `EXISTS (
    SELECT 1 FROM downloads o WHERE o.host = $1 AND o.model = $2 AND o.version <> $3 AND o.status = 'success'
  ) AND NOT EXISTS (
    SELECT 1 FROM downloads t WHERE t.host = $1 AND t.model = $2 AND t.version = $3 AND t.path = $4 AND t.status <> 'cancelled'
  )`;

const OPEN_SQL = `
  UPDATE downloads d SET ${REQUEUE_SQL}, reason = 'queued again: fewer files of its version are wanted', updated_at = $5
  WHERE ${SIBLING} AND ${COUNT_MATTERS} AND ${LIVE_SQL}
  RETURNING d.id, d.host, d.generation - 1 AS generation`;

/** Files of one version that are cancelled at once wait for each other here, rather than for each other's rows. */
const LOCK_SQL = `SELECT pg_advisory_xact_lock(hashtext('haulier siblings'), hashtext(concat_ws(' ', d.host, d.model, d.version)))
  FROM downloads d WHERE d.id = $1`;

const LAST_SQL = `
  UPDATE downloads d SET status = ${nextStatusSql('lose')}, generation = d.generation + 1, requeues = 0,
    attempts_before = 0, attempts_used = 0, event_at = NULL, completed_at = NULL, outcome = NULL,
    ${renewedDeadlineSql('$5')},
    reason = 'looked up again: the version is complete without a file that was cancelled', updated_at = $5
  WHERE d.id = (
    SELECT d.id FROM downloads d WHERE ${SIBLING} AND ${COUNT_MATTERS} AND ${legalSql('lose')}
      AND NOT EXISTS (
        SELECT 1 FROM downloads w WHERE w.host = $1 AND w.model = $2 AND w.version = $3 AND w.path <> $4
          AND w.status NOT IN ('success', 'cancelled')
      )
    ORDER BY d.completed_at DESC, d.id LIMIT 1
  ) AND ${legalSql('lose')}
  RETURNING d.id, d.host, d.generation - 1 AS generation`;

/**
 * A host shows a version once all its files are there, and each job says how many that are. After a cancellation there is one
 * less: open downloads are queued again with the right number; where all others are complete, one of them is queued again,
 * which transfers no byte and shows the version. A job that the relay is adding at this moment carries the old number: its row is
 * in the next generation then, and stays to be queued.
 *
 * @param client in the transaction that cancels, after `lockSiblings`
 * @param cancelled the file that is not wanted any more
 * @returns what was replaced
 */
export async function requeueSiblings(
  client: pg.ClientBase,
  cancelled: Pick<DownloadRow, 'host' | 'model' | 'version' | 'path'>,
  now: Date,
): Promise<ReplacedJob[]> {
  const { host, model, version, path } = cancelled;
  if (host === null || model === null || version === null) return [];
  const parameters = [host, model, version, path, now];
  const open = (await client.query<ReplacedJob>(OPEN_SQL, parameters)).rows;
  return open.length > 0 ? open : (await client.query<ReplacedJob>(LAST_SQL, parameters)).rows;
}

/** Locks out other cancellations in the version of this download until the end of the transaction. */
export async function lockSiblings(client: pg.ClientBase, downloadId: string): Promise<void> {
  await client.query(LOCK_SQL, [downloadId]);
}
