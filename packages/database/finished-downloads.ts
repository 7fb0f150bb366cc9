import type { Database } from './connect.ts';
import { contentKeyOf } from './content-key.ts';
import type { DownloadRequest } from './create-downloads.ts';
import { DOWNLOAD_COLUMNS, type DownloadRow } from './download-row.ts';

/*
 * A row answers a wish when nothing about it was asked anew since: an unfinished row of the same wish is what the
 * request attaches to instead.
 */
const FINISHED_SQL = `
  SELECT DISTINCT ON (d.content_key, d.path, coalesce(d.host, '')) ${DOWNLOAD_COLUMNS}
  FROM jsonb_to_recordset($1::jsonb) AS f (path text, content_key text)
  JOIN downloads d ON d.content_key = f.content_key AND d.path = f.path AND d.status = 'success'
  WHERE coalesce(d.host, '') = ANY($2::text[]) AND coalesce(d.model, '') = $3 AND coalesce(d.version, '') = $4
    AND NOT EXISTS (
      SELECT 1 FROM downloads u WHERE u.content_key = d.content_key AND u.path = d.path
        AND coalesce(u.host, '') = coalesce(d.host, '') AND coalesce(u.model, '') = $3 AND coalesce(u.version, '') = $4
        AND u.status IN ('pending', 'in_progress', 'resuming', 'paused')
    )
  ORDER BY d.content_key, d.path, coalesce(d.host, ''), d.completed_at DESC`;

/**
 * The files of a request that are complete already (CH8): for each host and file the newest row that ended in success.
 *
 * @returns at most one row per host and file
 */
export async function finishedDownloads(database: Database, request: DownloadRequest): Promise<DownloadRow[]> {
  const files = request.files.map((file) => ({ path: file.path, content_key: contentKeyOf(file) }));
  const parameters = [
    JSON.stringify(files),
    [...new Set(request.hosts.map((host) => host ?? ''))],
    request.model?.name ?? '',
    request.model?.version ?? '',
  ];
  return (await database.pool.query<DownloadRow>(FINISHED_SQL, parameters)).rows;
}
