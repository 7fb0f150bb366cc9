import type { DownloadStatus } from '#core/download-status';
import type { Outcome } from '#core/layer';
import type { Database } from '../sql/connect.ts';
import { shownHostSql } from '../hosts/shown-host-sql.ts';

/** What live events say of a download beside its position. */
export interface LiveFacts {
  readonly id: string;
  readonly host: string | null;
  readonly model: string | null;
  readonly version: string | null;
  readonly file: string;
  readonly status: DownloadStatus;
  readonly outcome: Outcome | null;
  readonly bytes: number;
  readonly total: number | null;
  readonly gateway: string | null;
  readonly sha256: string | null;
  readonly verified: boolean | null;
  readonly path: string | null;
  readonly error: string | null;
}

/** @returns the facts of those of the downloads that exist */
export async function liveFacts(database: Database, ids: readonly string[]): Promise<LiveFacts[]> {
  const sql = `SELECT d.id, ${shownHostSql('d.host')} AS host, d.model, d.version, d.path AS file, d.status, d.outcome,
      d.downloaded_bytes AS bytes, d.total_bytes AS total, d.source AS gateway, d.hash AS sha256, d.verified,
      d.published_path AS path, d.error
    FROM downloads d WHERE d.id = ANY($1::uuid[])`;
  return (await database.pool.query<LiveFacts>(sql, [ids])).rows;
}
