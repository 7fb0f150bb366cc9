import type { Obtained } from '#fetch/obtain';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { SECOND_MS } from '#core/units';
import type { PublishedBlob } from '#store/blobs/publish';
import { SourceSums } from '#transfer/report/source-sums';
import type { TryRecord } from '#transfer/report/transfer-options';
import type { SourceBytes } from './attempt-end.ts';

const MAX_SOURCE_CHARS = 200;
const MAX_ERROR_CHARS = 500;
const MAX_REASON_CHARS = 300;
const MAX_SOURCES = 64;
export const MAX_ORIGIN_CHARS = 300;

/** Turns each try of an attempt into an event, and keeps the sums per source: an attempt may have any number of tries. */
export class TryReporter {
  readonly #job: DownloadJob;
  readonly #attempt: number;
  readonly #publish: (event: WorkerEvent) => void;
  readonly #sums = new SourceSums();
  #count = 0;
  #gotBytes = false;

  constructor(job: DownloadJob, attempt: number, publish: (event: WorkerEvent) => void) {
    this.#job = job;
    this.#attempt = attempt;
    this.#publish = publish;
  }

  add(record: TryRecord): void {
    const { downloadId, generation } = this.#job;
    this.#publish({
      type: 'try.finished',
      downloadId,
      generation,
      at: Date.now(),
      attempt: this.#attempt,
      sequence: this.#count,
      layer: record.layer,
      kind: record.kind,
      source: record.source.slice(0, MAX_SOURCE_CHARS),
      status: record.failure === undefined ? 'success' : 'failure',
      latencyMs: Math.round(record.durationMs),
      bytes: record.bytes,
      committedBytes: record.committedBytes,
      origin: record.origin.slice(0, MAX_ORIGIN_CHARS),
      errorKind: record.failure?.kind ?? null,
      errorMessage: record.failure?.message.slice(0, MAX_ERROR_CHARS) ?? null,
      reason: [record.rankedBecause, record.reason].filter(Boolean).join('; ').slice(0, MAX_REASON_CHARS),
    });
    this.#count += 1;
    this.#gotBytes ||= record.bytes > 0;
    this.#sums.add(record);
  }

  /** Any byte arrived, right or wrong. */
  get gotBytes(): boolean {
    return this.#gotBytes;
  }

  /** Sums per source, those that gave most first. */
  sourceBytes(): SourceBytes {
    return this.#sums.all
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, MAX_SOURCES)
      .map(({ source, layer, bytes, wastedBytes, badLeaves, errors }) => {
        const name = source.slice(0, MAX_SOURCE_CHARS);
        return { source: name, layer, bytes, wastedBytes, badLeaves, errors };
      });
  }
}

/** A published file, and where it came from. */
export interface FinishedAttempt {
  readonly blob: PublishedBlob;
  /** Where an application opens the file. */
  readonly path: string;
  /** Undefined when the file was here already. */
  readonly obtained: Obtained | undefined;
  /** Bytes and errors of each source, summed over its tries. */
  readonly sources: SourceBytes;
  readonly durationMs: number;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
}

export function finishedEvent(
  job: DownloadJob,
  { blob, path, obtained, sources, durationMs, now }: FinishedAttempt,
): WorkerEvent {
  return {
    type: 'download.finished',
    downloadId: job.downloadId,
    generation: job.generation,
    at: now,
    outcome: obtained?.outcome ?? 'cache_hit',
    sizeBytes: blob.sizeBytes,
    sha256: blob.sha256,
    cid: blob.cid ?? null,
    verified: (obtained?.verified ?? 'digest') !== 'none',
    path,
    durationMs,
    resumedBytes: obtained?.resumedBytes ?? 0,
    wastedBytes: obtained?.wastedBytes ?? 0,
    sources: obtained === undefined ? [] : finishedSources(obtained, sources),
  };
}

/** A file of one block comes with its leaf table, so its source has no try of its own. */
function finishedSources(obtained: Obtained, byTries: SourceBytes): SourceBytes {
  if (byTries.length > 0 || obtained.mainSource === undefined) return byTries;
  const layer = obtained.outcome === 'tertiary_peer_success' ? 'peer' : 'ipfs';
  return [{ source: obtained.mainSource, layer, bytes: obtained.sizeBytes, wastedBytes: 0, badLeaves: 0, errors: 0 }];
}

/** Log fields of a published file: its path, its source and its speed. */
export function publishedFacts(
  { downloadId, file }: DownloadJob,
  { blob, path, obtained, sources, durationMs }: Omit<FinishedAttempt, 'now'>,
): Readonly<Record<string, unknown>> {
  const senders = (obtained === undefined ? [] : finishedSources(obtained, sources)).filter(({ bytes }) => bytes > 0);
  const fetchedBytes = senders.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...{ downloadId, file: file.path, path, sizeBytes: blob.sizeBytes, durationMs },
    outcome: obtained?.outcome ?? 'cache_hit',
    from: senders.map(({ source }) => source),
    bytesPerSecond: durationMs > 0 ? Math.round((fetchedBytes * SECOND_MS) / durationMs) : null,
  };
}
