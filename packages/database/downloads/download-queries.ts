import type { DownloadStatus } from '#core/download-status';
import type { Database } from '../sql/connect.ts';
import { DOWNLOAD_COLUMNS, type DownloadRow } from './download-row.ts';

/** A position in a list that is sorted by time and id, newest first. */
export interface ListPosition {
  readonly createdAt: Date;
  readonly id: string;
}

export interface DownloadFilter {
  readonly status?: readonly DownloadStatus[] | undefined;
  readonly cid?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  /** null: only those of the pool. */
  readonly host?: string | null | undefined;
  /** 1 to 1000. */
  readonly limit: number;
  /** The last row of the page before. */
  readonly after?: ListPosition | undefined;
}

export interface DownloadPage {
  readonly rows: DownloadRow[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: ListPosition | undefined;
}

/** @returns the download, or undefined when there is none with this id. */
export async function downloadById(database: Database, id: string): Promise<DownloadRow | undefined> {
  return (await downloadsById(database, [id]))[0];
}

/** @returns those that exist, in no order. */
export async function downloadsById(database: Database, ids: readonly string[]): Promise<DownloadRow[]> {
  const sql = `SELECT ${DOWNLOAD_COLUMNS} FROM downloads d WHERE d.id = ANY($1::uuid[])`;
  return (await database.pool.query<DownloadRow>(sql, [ids])).rows;
}

/** Newest first; pages are stable while rows are added. */
export async function listDownloads(database: Database, filter: DownloadFilter): Promise<DownloadPage> {
  const { where, parameters } = conditionsOf(filter);
  parameters.push(filter.limit + 1);
  const sql = `SELECT ${DOWNLOAD_COLUMNS} FROM downloads d ${where}
    ORDER BY d.created_at DESC, d.id DESC LIMIT $${parameters.length}`;
  const found = (await database.pool.query<DownloadRow>(sql, parameters)).rows;
  const rows = found.slice(0, filter.limit);
  const last = rows.at(-1);
  return { rows, next: found.length > rows.length && last ? { createdAt: last.createdAt, id: last.id } : undefined };
}

function conditionsOf(filter: DownloadFilter): { where: string; parameters: unknown[] } {
  const parameters: unknown[] = [];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions: string[] = [];
  if (filter.status !== undefined) conditions.push(`d.status = ANY(${given(filter.status)}::text[])`);
  if (filter.cid !== undefined) conditions.push(`d.cid = ${given(filter.cid)}`);
  if (filter.model !== undefined) conditions.push(`d.model = ${given(filter.model)}`);
  if (filter.version !== undefined) conditions.push(`d.version = ${given(filter.version)}`);
  if (filter.host === null) conditions.push('d.host IS NULL');
  else if (filter.host !== undefined) conditions.push(`d.host = ${given(filter.host)}`);
  if (filter.after !== undefined)
    conditions.push(
      `(d.created_at, d.id) < (${given(filter.after.createdAt)}::timestamptz, ${given(filter.after.id)}::uuid)`,
    );
  return { where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, parameters };
}
