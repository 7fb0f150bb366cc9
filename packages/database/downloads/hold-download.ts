import type { Database } from '../sql/connect.ts';
import { DOWNLOAD_COLUMNS, type DownloadRow } from './download-row.ts';

/**
 * Turns a pause that the worker made (it waits for disk space, a source or its next attempt) into one that lasts
 * until a person resumes. The status stays `paused`.
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
