import type { CreateDownloadsBody } from '#contracts/http/downloads';
import { createDownloads as insertDownloads } from '#database/create-downloads';
import type { DownloadRequest } from '#database/create-downloads';
import { downloadsById } from '#database/download-queries';
import type { DownloadRow } from '#database/download-row';
import { finishedDownloads } from '#database/finished-downloads';
import type { Database } from '#database/connect';
import type { Dependencies } from '../dependencies.ts';
import { orderFiles } from './order-files.ts';

export interface CreatedDownloads {
  readonly order: DownloadRequest;
  /** By host and path. */
  readonly rows: readonly DownloadRow[];
  /** How many of the rows are new. */
  readonly created: number;
}

/**
 * Writes down what is wanted (CH8): what is on its way already is shared, what is complete already is answered, and
 * only the rest becomes new rows. Redis is not touched; the relay makes the jobs.
 */
export async function createDownloads(
  deps: Pick<Dependencies, 'database' | 'now' | 'nudgeRelay'>,
  body: CreateDownloadsBody,
): Promise<CreatedDownloads> {
  const order = await orderFiles(deps.database, body);
  const finished = body.recheck === true ? [] : await finishedDownloads(deps.database, order);
  const made = await insertMissing(deps, order, finished);
  const created = made.filter((row) => row.created).length;
  if (created > 0) deps.nudgeRelay();
  const rows = [
    ...finished,
    ...(await rowsOf(
      deps.database,
      made.map(({ id }) => id),
    )),
  ];
  return { order, rows: rows.sort(byHostAndPath), created };
}

/** One statement per set of files, because hosts differ in what they have already. */
async function insertMissing(
  { database, now }: Pick<Dependencies, 'database' | 'now'>,
  order: DownloadRequest,
  finished: readonly DownloadRow[],
): Promise<{ id: string; created: boolean }[]> {
  const done = new Set(finished.map((row) => `${row.host ?? ''} ${row.path}`));
  const groups = new Map<string, { hosts: (string | null)[]; files: DownloadRequest['files'] }>();
  for (const host of new Set(order.hosts)) {
    const files = order.files.filter((file) => !done.has(`${host ?? ''} ${file.path}`));
    if (files.length === 0) continue;
    const key = JSON.stringify(files.map((file) => file.path));
    const group = groups.get(key) ?? { hosts: [], files };
    group.hosts.push(host);
    groups.set(key, group);
  }
  const made = [];
  for (const group of groups.values()) made.push(...(await insertDownloads(database, { ...order, ...group }, now())));
  return made;
}

const rowsOf = async (database: Database, ids: readonly string[]): Promise<DownloadRow[]> =>
  ids.length === 0 ? [] : downloadsById(database, ids);

const byHostAndPath = (a: DownloadRow, b: DownloadRow): number =>
  compare(a.host ?? '', b.host ?? '') || compare(a.path, b.path);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
