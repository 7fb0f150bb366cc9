import type { DownloadStatus } from '#core/download-status';
import type { Database } from '../sql/connect.ts';

/** Number of downloads by status; a status without any is left out or 0. A trigger notes each change in the transaction that makes it. */
export async function countDownloads({ pool }: Database): Promise<Partial<Record<DownloadStatus, number>>> {
  const sql = 'SELECT status, sum(change)::bigint AS count FROM download_counts GROUP BY status';
  const { rows } = await pool.query<{ status: DownloadStatus; count: number }>(sql);
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** Fewer noted changes are added up in no time. */
const MOST_CHANGES = 1000;

/** Every row that is taken away is part of a new one, so that the sums stay the same; rows that another process takes are left to it. */
const ADD_UP_SQL = `
  WITH free AS (
    SELECT ctid FROM download_counts WHERE (SELECT count(*) FROM download_counts) > $1 FOR UPDATE SKIP LOCKED
  ), taken AS (
    DELETE FROM download_counts c USING free f WHERE c.ctid = f.ctid RETURNING c.status, c.change
  )
  INSERT INTO download_counts (status, change) SELECT status, sum(change) FROM taken GROUP BY status`;

/** Puts one row for each status in the place of many noted changes. */
export const addUpCounts = async ({ pool }: Database, mostChanges = MOST_CHANGES): Promise<void> =>
  void (await pool.query(ADD_UP_SQL, [mostChanges]));
