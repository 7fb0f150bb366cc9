import type { Obtained } from '#chain/obtain';
import type { DownloadJob } from '#contracts/download-job';
import type { WorkerEvent } from '#contracts/worker-events';
import type { SourceKind } from '#core/layer';
import type { Source } from '#core/source';
import type { PublishedBlob } from '#store/publish';
import type { TryRecord } from '#transfer/transfer-options';
import type { SourceBytes } from './attempt-end.ts';

const MAX_SOURCE_CHARS = 200;
const MAX_ERROR_CHARS = 500;
const MAX_REASON_CHARS = 300;

/** Turns each try of an attempt into an event, and keeps the sums per source. */
export class TryReporter {
  readonly #job: DownloadJob;
  readonly #attempt: number;
  readonly #publish: (event: WorkerEvent) => void;
  readonly #sources: () => readonly Source[];
  readonly #records: TryRecord[] = [];
  #kinds: ReadonlyMap<string, SourceKind> | undefined;

  constructor(
    job: DownloadJob,
    attempt: number,
    sources: () => readonly Source[],
    publish: (event: WorkerEvent) => void,
  ) {
    this.#job = job;
    this.#attempt = attempt;
    this.#sources = sources;
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
      sequence: this.#records.length,
      layer: record.layer,
      kind: this.#kindOf(record.source),
      source: record.source.slice(0, MAX_SOURCE_CHARS),
      status: record.failure === undefined ? 'success' : 'failure',
      latencyMs: Math.round(record.durationMs),
      bytes: record.bytes,
      errorKind: record.failure?.kind ?? null,
      errorMessage: record.failure?.message.slice(0, MAX_ERROR_CHARS) ?? null,
      reason: [record.rankedBecause, record.reason].filter(Boolean).join('; ').slice(0, MAX_REASON_CHARS),
    });
    this.#records.push(record);
  }

  reports(): readonly TryRecord[] {
    return this.#records;
  }

  #kindOf(name: string): SourceKind {
    this.#kinds ??= new Map(this.#sources().map((source) => [source.name, source.kind]));
    return this.#kinds.get(name) ?? 'mirror';
  }
}

const MAX_SOURCES = 64;

/** Sums per source, those that gave most first. */
export function sourceBytesOf(records: readonly TryRecord[]): SourceBytes {
  const sums = new Map<string, SourceBytes[number]>();
  for (const record of records) {
    const sum = sums.get(record.source);
    sums.set(record.source, {
      source: record.source.slice(0, MAX_SOURCE_CHARS),
      layer: record.layer,
      bytes: (sum?.bytes ?? 0) + record.committedBytes,
      wastedBytes: (sum?.wastedBytes ?? 0) + record.wastedBytes,
      badLeaves: (sum?.badLeaves ?? 0) + record.badLeaves,
      errors: (sum?.errors ?? 0) + (record.failure === undefined ? 0 : 1),
    });
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_SOURCES);
}

/** @param path where an application opens the file */
export function finishedEvent(
  job: DownloadJob,
  blob: PublishedBlob,
  path: string,
  obtained: Obtained | undefined,
  durationMs: number,
  at: number,
): WorkerEvent {
  return {
    type: 'download.finished',
    downloadId: job.downloadId,
    generation: job.generation,
    at,
    outcome: obtained?.outcome ?? 'cache_hit',
    sizeBytes: blob.sizeBytes,
    sha256: blob.sha256,
    cid: blob.cid ?? null,
    verified: (obtained?.verified ?? 'digest') !== 'none',
    path,
    durationMs,
    resumedBytes: obtained?.resumedBytes ?? 0,
    wastedBytes: obtained?.wastedBytes ?? 0,
    sources: obtained === undefined ? [] : finishedSources(obtained),
  };
}

/** A file of one block came with its leaf table: no try tells who gave it. */
function finishedSources(obtained: Obtained): SourceBytes {
  const sums = sourceBytesOf(obtained.tries);
  if (sums.length > 0 || obtained.mainSource === undefined) return sums;
  const layer = obtained.outcome === 'tertiary_peer_success' ? 'peer' : 'ipfs';
  return [{ source: obtained.mainSource, layer, bytes: obtained.sizeBytes, wastedBytes: 0, badLeaves: 0, errors: 0 }];
}
