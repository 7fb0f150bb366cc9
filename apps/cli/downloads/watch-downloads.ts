import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from '#client/client';
import type { Download, Try } from '#contracts/http/downloads';
import { mapConcurrently } from '#core/async/map-concurrently';
import { isFinal } from '#core/download-status';
import { SECOND_MS } from '#core/units';
import { reconnecting } from '../rollout/reconnect.ts';
import type { ProgressItem } from '../terminal/progress-lines.ts';
import type { ProgressDisplay } from '../terminal/progress.ts';
import { SteadyRate } from '../terminal/steady-rate.ts';

const POLL_MS = 55_000;
/** Up to so many downloads are followed by a long-poll each; more are read by lists. */
const MAX_LONG_POLLS = 16;
const IDS_OF_A_LIST = 100;
const LIST_EVERY_MS = SECOND_MS;
/** The tries of each are read at the end of up to so many downloads. */
const MAX_WITH_TRIES = 200;
const READ_AT_ONCE = 8;

/** A download that has ended; with its tries, unless there are very many. */
export type DownloadWithTries = Download & { readonly tries?: readonly Try[] };

export interface WatchDownloadsOptions {
  /** How long the API may be away, from the first failure on; milliseconds. */
  readonly maxDisconnectMs: number;
  /** Called with every state that was seen. */
  readonly onChange?: (download: Download) => void;
}

/**
 * Follows downloads until each has ended, and shows their progress.
 *
 * @returns how they ended, in the same order
 * @throws the signal's reason when it is aborted; the downloads continue
 * @throws UnreachableError or ApiError when the API stays away for longer than it may
 */
export async function watchDownloads(
  client: ApiClient,
  downloads: readonly Download[],
  display: ProgressDisplay,
  signal: AbortSignal,
  { maxDisconnectMs, onChange }: WatchDownloadsOptions = { maxDisconnectMs: 0 },
): Promise<DownloadWithTries[]> {
  const rates = new Map(downloads.map(({ id }) => [id, new SteadyRate(performance.now())]));
  const latest = new Map(downloads.map((download) => [download.id, download]));
  const show = (): void =>
    display.update([...latest.values()].map((download) => progressOf(download, rates.get(download.id)!)));
  const changed = (download: Download): void => {
    latest.set(download.id, download);
    rates.get(download.id)!.reached(download.bytes, performance.now());
    onChange?.(download);
  };
  const call = callsWithOneOutage(maxDisconnectMs, display, signal);
  try {
    show();
    return downloads.length <= MAX_LONG_POLLS
      ? await Promise.all(downloads.map(({ id }) => follow(client, id, signal, call, (one) => (changed(one), show()))))
      : await followLists(client, downloads, signal, call, (page) => (page.forEach(changed), show()));
  } finally {
    show();
    display.end();
  }
}

type Calling = <T>(work: () => Promise<T>) => Promise<T>;

/** Many calls fail in one outage; it is told once. */
function callsWithOneOutage(maxDisconnectMs: number, display: ProgressDisplay, signal: AbortSignal): Calling {
  let isTold = false;
  return async (work) => {
    const result = await reconnecting(work, maxDisconnectMs, signal, (error) => {
      if (!isTold) display.say(`${error.message}; trying again`);
      isTold = true;
    });
    isTold = false;
    return result;
  };
}

async function follow(
  client: ApiClient,
  id: string,
  signal: AbortSignal,
  call: Calling,
  onChange: (download: Download) => void,
): Promise<DownloadWithTries> {
  let download = await call(() => client.getDownload(id));
  onChange(download);
  while (!isFinal(download.status)) {
    const { version } = download;
    download = await call(() => client.waitForDownload(id, { waitMs: POLL_MS, after: version, signal }));
    onChange(download);
  }
  return download;
}

async function followLists(
  client: ApiClient,
  downloads: readonly Download[],
  signal: AbortSignal,
  call: Calling,
  onPage: (downloads: readonly Download[]) => void,
): Promise<DownloadWithTries[]> {
  const ended = new Map<string, DownloadWithTries>();
  for (;;) {
    const open = downloads.map(({ id }) => id).filter((id) => !ended.has(id));
    for (let first = 0; first < open.length; first += IDS_OF_A_LIST) {
      signal.throwIfAborted();
      const id = open.slice(first, first + IDS_OF_A_LIST);
      const page = await call(() => client.listDownloads({ id }));
      for (const download of page.downloads) if (isFinal(download.status)) ended.set(download.id, download);
      onPage(page.downloads);
    }
    if (ended.size === downloads.length) break;
    await pause(LIST_EVERY_MS, undefined, { signal });
  }
  const all = downloads.map(({ id }) => ended.get(id)!);
  if (all.length > MAX_WITH_TRIES) return all;
  return mapConcurrently(all, READ_AT_ONCE, ({ id }) => call(() => client.getDownload(id)));
}

const progressOf = (download: Download, rate: SteadyRate): ProgressItem => ({
  label: download.file,
  doneBytes: download.bytes,
  totalBytes: download.sizeBytes ?? undefined,
  bytesPerSecond: download.bytesPerSecond === null ? 0 : rate.bytesPerSecond(performance.now()),
  note: isFinal(download.status) ? (download.outcome ?? download.status) : (download.source ?? download.message),
});
