import type { GetDownloadQuery } from '#contracts/http/downloads';
import { isFinal } from '#core/download-status';
import { downloadById } from '#database/downloads/download-queries';
import type { DownloadRow } from '#database/downloads/download-row';
import type { Dependencies } from '../dependencies.ts';
import { downloadView, type ViewDeps } from './view.ts';

/**
 * Reads a download, and holds the answer while nothing changes: a long-poll.
 *
 * @param query without `wait` the answer comes at once; a download that has ended is not waited for
 * @param signal aborts when the client is gone
 * @returns how it stands when it changed or the wait is over; undefined when there is none
 */
export async function awaitDownload(
  deps: Pick<Dependencies, 'database' | 'changes' | 'now' | 'hostOfflineAfterMs'>,
  id: string,
  query: GetDownloadQuery,
  signal: AbortSignal,
): Promise<DownloadRow | undefined> {
  const { database, changes, now } = deps;
  const deadline = now().getTime() + (query.wait ?? 0);
  const watch = changes.watch(id);
  try {
    let row = await downloadById(database, id);
    const known = query.after ?? (row && downloadView(row, deps).version);
    while (row !== undefined && !isAwaited(row, known, query.until, deps)) {
      const left = deadline - now().getTime();
      if (left <= 0 || signal.aborted || changes.stopped()) return row;
      await watch.next(left, signal);
      row = await downloadById(database, id);
    }
    return row;
  } finally {
    watch.end();
  }
}

const isAwaited = (
  row: DownloadRow,
  known: string | undefined,
  until: GetDownloadQuery['until'],
  deps: ViewDeps,
): boolean => isFinal(row.status) || (until === 'change' && downloadView(row, deps).version !== known);
