import type { Database } from '../sql/connect.ts';
import { contentKeyOf } from './content-key.ts';
import type { DownloadOrder } from './insert-downloads.ts';
import { DOWNLOAD_COLUMNS, type DownloadRow } from './download-row.ts';

/** An open row comes before a row that ended, whatever its age. */
const WISHED_SQL = `
  SELECT DISTINCT ON (d.content_key, d.path, coalesce(d.host, '')) ${DOWNLOAD_COLUMNS}
  FROM jsonb_to_recordset($1::jsonb) AS f (path text, content_key text)
  CROSS JOIN unnest($2::text[]) AS h (host)
  JOIN downloads d ON d.content_key = f.content_key AND d.path = f.path AND coalesce(d.host, '') = h.host
  WHERE coalesce(d.model, '') = $3 AND coalesce(d.version, '') = $4 AND ($5::text[] IS NULL OR d.status = ANY($5))
  ORDER BY d.content_key, d.path, coalesce(d.host, ''),
    d.status IN ('pending', 'in_progress', 'resuming', 'paused') DESC, d.created_at DESC, d.id DESC`;

/**
 * The rows of a request: for each host and file the open row, else the newest.
 *
 * @param statuses only rows in one of these; default: all
 * @returns at most one row per host and file
 */
export async function wishedDownloads(
  database: Database,
  request: Pick<DownloadOrder, 'files' | 'hosts' | 'model'>,
  statuses?: readonly DownloadRow['status'][],
): Promise<DownloadRow[]> {
  const files = request.files.map((file) => ({ path: file.path, content_key: contentKeyOf(file) }));
  const parameters = [
    JSON.stringify(files),
    [...new Set(request.hosts.map((host) => host ?? ''))],
    request.model?.name ?? '',
    request.model?.version ?? '',
    statuses ?? null,
  ];
  return (await database.pool.query<DownloadRow>(WISHED_SQL, parameters)).rows;
}
