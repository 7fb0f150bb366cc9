import type { CreateDownloadsBody, CreateDownloadsQuery } from '#contracts/http/downloads';
import { isFinal } from '#core/download-status';
import { insertDownloads } from '#database/downloads/insert-downloads';
import type { DownloadOrder } from '#database/downloads/insert-downloads';
import type { DownloadRow } from '#database/downloads/download-row';
import { wishedDownloads } from '#database/downloads/wished-downloads';
import type { Dependencies } from '../dependencies.ts';
import { awaitDownload } from './await-download.ts';
import { orderFiles } from './order-files.ts';

/** An answer shows its downloads up to this many; beyond, it links to them. */
export const MAX_ROWS_IN_ANSWER = 100;

/** Longest wait for an online worker that reports the file as present; milliseconds. */
const ASK_WORKER_MS = 100;

export interface CreatedDownloads {
  readonly order: DownloadOrder;
  /** By host and path; undefined when there are too many to show. */
  readonly rows: readonly DownloadRow[] | undefined;
  /** How many downloads the request is about. */
  readonly count: number;
  /** How many of them are new. */
  readonly created: number;
}

/** The request behind the downloads. */
interface Asking {
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Names its span; undefined where nothing is traced. */
  readonly traceparent: string | undefined;
}

type Deps = Pick<Dependencies, 'database' | 'now' | 'nudgeRelay' | 'changes' | 'hostOfflineAfterMs'>;

/**
 * Writes the rows of a request; an open download of the same file is shared. A file that is recorded as complete on a host is
 * asked for again, because it may have been deleted since; an online worker answers at once that it has the file.
 * `trust=rows` takes the record for the answer, and so does a request to the pool, which names no worker that could be asked.
 * The relay makes the jobs; this function does not touch Redis.
 */
export async function createDownloads(
  deps: Deps,
  body: CreateDownloadsBody,
  { trust }: CreateDownloadsQuery,
  { signal, traceparent }: Asking,
): Promise<CreatedDownloads> {
  const { database, now } = deps;
  const order = { ...(await orderFiles(database, body)), traceparent };
  const count = new Set(order.hosts).size * order.files.length;
  const isShown = count <= MAX_ROWS_IN_ANSWER;
  const asked = order.hosts.filter((host) => host !== null);
  const before = isShown ? await wishedDownloads(database, { ...order, hosts: asked }, ['success']) : [];
  const finishedOn = trust === 'rows' ? order.hosts : order.hosts.filter((host) => host === null);
  const created = await insertDownloads(database, order, { finishedOn }, now());
  if (created > 0) deps.nudgeRelay();
  if (!isShown) return { order, rows: undefined, count, created };
  const rows = await wishedDownloads(database, order);
  const answered = await Promise.all(rows.map((row) => afterAsking(deps, row, before, signal)));
  return { order, rows: answered.sort(byHostAndPath), count, created };
}

/** A file that was complete before is most likely still there, so the answer waits for its worker for a moment. */
async function afterAsking(
  deps: Deps,
  row: DownloadRow,
  before: readonly DownloadRow[],
  signal: AbortSignal,
): Promise<DownloadRow> {
  if (isFinal(row.status) || !before.some(({ host, path }) => host === row.host && path === row.path)) return row;
  return (await awaitDownload(deps, row.id, { wait: ASK_WORKER_MS, until: 'final' }, signal)) ?? row;
}

const byHostAndPath = (a: DownloadRow, b: DownloadRow): number =>
  compare(a.host ?? '', b.host ?? '') || compare(a.path, b.path);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
