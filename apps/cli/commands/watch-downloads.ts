import type { ApiClient } from '#client/client';
import type { Download, DownloadDetail } from '#contracts/http/downloads';
import { isFinal } from '#core/download-status';
import type { ProgressItem } from '../terminal/progress-lines.ts';
import type { ProgressDisplay } from '../terminal/progress.ts';
import { SteadyRate } from '../terminal/steady-rate.ts';

const POLL_MS = 55_000;

/**
 * Follows downloads by long polls until each has ended, and shows their progress.
 *
 * @returns how they ended, in the same order
 * @throws the signal's reason when it is aborted; the downloads continue
 */
export async function watchDownloads(
  client: ApiClient,
  downloads: readonly Download[],
  display: ProgressDisplay,
  signal: AbortSignal,
): Promise<DownloadDetail[]> {
  const rates = downloads.map(() => new SteadyRate(performance.now()));
  const latest = downloads.slice();
  const show = (): void => display.update(latest.map((download, index) => progressOf(download, rates[index]!)));
  try {
    show();
    return await Promise.all(
      downloads.map((download, index) =>
        follow(client, download.id, signal, (changed) => {
          latest[index] = changed;
          rates[index]!.reached(changed.bytes, performance.now());
          show();
        }),
      ),
    );
  } finally {
    show();
    display.end();
  }
}

async function follow(
  client: ApiClient,
  id: string,
  signal: AbortSignal,
  onChange: (download: Download) => void,
): Promise<DownloadDetail> {
  let download = await client.getDownload(id);
  onChange(download);
  while (!isFinal(download.status)) {
    download = await client.waitForDownload(id, { waitMs: POLL_MS, after: download.version, signal });
    onChange(download);
  }
  return download;
}

const progressOf = (download: Download, rate: SteadyRate): ProgressItem => ({
  label: download.file,
  doneBytes: download.bytes,
  totalBytes: download.sizeBytes ?? undefined,
  bytesPerSecond: download.bytesPerSecond === null ? 0 : rate.bytesPerSecond(performance.now()),
  note: isFinal(download.status) ? (download.outcome ?? download.status) : (download.source ?? download.message),
});
