import type { EventBatch } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import { isOpen } from '#core/download-status';
import { downloadsById } from '#database/downloads/download-queries';
import type { DownloadRow } from '#database/downloads/download-row';
import { stopJob, type StopCommand } from '../downloads/stop-job.ts';
import type { Dependencies } from '../dependencies.ts';

/** A download that a worker runs, by its latest event. */
interface Busy {
  readonly downloadId: string;
  readonly generation: number;
  readonly host: string | null;
}

/**
 * Sends the stop command again for downloads that are no longer wanted: the command was lost while Redis was down, or the
 * download runs in a newer generation.
 */
export async function stopStragglers(
  deps: Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'log'>,
  batches: readonly EventBatch[],
): Promise<void> {
  const busy = busyDownloads(batches);
  if (busy.length === 0) return;
  const rows = await downloadsById(
    deps.database,
    busy.map(({ downloadId }) => downloadId),
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const { downloadId, generation, host } of busy) {
    const command = commandFor(byId.get(downloadId), generation, host);
    if (command !== undefined) await stopJob(deps, { id: downloadId, host, generation }, command);
  }
}

/** Only the last event of a download counts: one that ended in the same batch is not busy. */
export function busyDownloads(batches: readonly EventBatch[]): Busy[] {
  const latest = new Map<string, Busy | undefined>();
  for (const { host, events } of batches) {
    for (const event of events) {
      if (!('downloadId' in event) || event.type === 'try.finished') continue;
      const { downloadId, generation } = event;
      const goesOn = event.type === 'download.started' || event.type === 'download.progress';
      latest.set(downloadId, goesOn ? { downloadId, generation, host } : undefined);
    }
  }
  return [...latest.values()].filter((one) => one !== undefined);
}

/** @returns the command for the worker, or undefined when the download may go on */
export function commandFor(
  row: Pick<DownloadRow, 'status' | 'pauseReason' | 'generation' | 'host'> | undefined,
  generation: number,
  host: string | null,
): StopCommand | undefined {
  if (row === undefined) return 'cancel';
  if (row.host !== null && (host === null || row.host !== hostKey(host))) return undefined;
  if (row.generation > generation) return 'pause';
  if (isOpen(row.status)) return undefined;
  if (row.status === 'paused') return row.pauseReason === 'requested' ? 'pause' : undefined;
  return 'cancel';
}
