import { randomUUID } from 'node:crypto';
import type { JobFile } from '#contracts/file-spec';
import type { EventBatch, InventoryEventEntry, WorkerEvent } from '#contracts/worker/worker-events';
import type { Database } from '#database/sql/connect';
import { insertDownloads, type DownloadOrder } from '#database/downloads/insert-downloads';
import { downloadById } from '#database/downloads/download-queries';
import { wishedDownloads } from '#database/downloads/wished-downloads';
import type { DownloadRow } from '#database/downloads/download-row';
import type { VersionCheck } from '#database/generated/client';

/** The moment at which every test begins; `at(5)` is five seconds later. */
export const START = new Date('2026-11-21T12:00:00.000Z');
export const at = (seconds: number): Date => new Date(START.getTime() + seconds * 1000);

export const SHA256 = 'ab'.repeat(32);
export const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

export const file = (path: string, more: Partial<JobFile> = {}): JobFile => ({
  path,
  sizeBytes: 1000,
  digests: { sha256: SHA256 },
  sources: [{ kind: 'huggingface', repo: 'onnx-community/whisper-base', revision: 'main', path }],
  ...more,
});

export async function oneDownload(database: Database, more: Partial<DownloadOrder> = {}): Promise<DownloadRow> {
  const request = { hosts: ['gpu-1'], files: [file(`onnx/${randomUUID()}.onnx`)], ...more };
  await insertDownloads(database, request, { finishedOn: [] }, START);
  const [row] = await wishedDownloads(database, request);
  return row!;
}

export async function mustFind(database: Database, id: string): Promise<DownloadRow> {
  const row = await downloadById(database, id);
  if (row === undefined) throw new Error(`no download ${id}`);
  return row;
}

type EventOf<T extends WorkerEvent['type']> = Extract<WorkerEvent, { type: T }>;
type Of = { readonly id: string; readonly generation?: number };

const of = ({ id, generation = 1 }: Of, seconds: number) => ({
  downloadId: id,
  generation,
  at: at(seconds).getTime(),
});

export const started = (
  download: Of,
  seconds: number,
  more: Partial<EventOf<'download.started'>> = {},
): EventOf<'download.started'> => ({
  type: 'download.started',
  ...of(download, seconds),
  attempt: 1,
  resumedBytes: 0,
  ...more,
});

export const progress = (download: Of, seconds: number, committedBytes: number): EventOf<'download.progress'> => ({
  type: 'download.progress',
  ...of(download, seconds),
  committedBytes,
  totalBytes: 1000,
  bytesPerSecond: 100,
  source: 'https://gateway.example',
  retries: 0,
});

export const interrupted = (
  download: Of,
  seconds: number,
  more: Partial<EventOf<'download.interrupted'>> = {},
): EventOf<'download.interrupted'> => ({
  type: 'download.interrupted',
  ...of(download, seconds),
  reason: 'disk_full',
  message: 'needs 1.00 kB, 0 B free',
  committedBytes: 400,
  retryAt: null,
  ...more,
});

export const finished = (
  download: Of,
  seconds: number,
  more: Partial<EventOf<'download.finished'>> = {},
): EventOf<'download.finished'> => ({
  type: 'download.finished',
  ...of(download, seconds),
  outcome: 'primary_success',
  sizeBytes: 1000,
  sha256: SHA256,
  cid: CID,
  verified: true,
  path: '/var/lib/haulier/models/whisper-base/onnx/model.onnx',
  durationMs: 2000,
  resumedBytes: 0,
  wastedBytes: 0,
  sources: [
    { source: 'https://slow.example', layer: 'ipfs', bytes: 100, wastedBytes: 0, badLeaves: 0, errors: 1 },
    { source: 'https://gateway.example', layer: 'ipfs', bytes: 900, wastedBytes: 0, badLeaves: 0, errors: 0 },
  ],
  ...more,
});

export const failed = (
  download: Of,
  seconds: number,
  more: Partial<EventOf<'download.failed'>> = {},
): EventOf<'download.failed'> => ({
  type: 'download.failed',
  ...of(download, seconds),
  outcome: 'all_layers_exhausted',
  errorKind: 'missing',
  message: 'no source could give it: https://gateway.example: 404',
  committedBytes: 0,
  sources: [],
  ...more,
});

export const tried = (
  download: Of,
  seconds: number,
  sequence: number,
  more: Partial<EventOf<'try.finished'>> = {},
): EventOf<'try.finished'> => ({
  type: 'try.finished',
  ...of(download, seconds),
  attempt: 1,
  sequence,
  layer: 'ipfs',
  kind: 'ipfs-gateway',
  source: 'https://gateway.example',
  status: 'success',
  latencyMs: 100,
  bytes: 1000,
  errorKind: null,
  errorMessage: null,
  reason: null,
  ...more,
});

/** What a host says that it has, in one page. */
export const inventory = (seconds: number, entries: InventoryEventEntry[] = []): EventOf<'host.inventory'> => ({
  type: 'host.inventory',
  at: at(seconds).getTime(),
  digest: 'd',
  page: 0,
  pages: 1,
  modelsFolder: '/store/models',
  entries,
});

/** What the last check of each origin of the model found, by origin. */
export async function checksOf(database: Database, model: string): Promise<VersionCheck[]> {
  return database.prisma.versionCheck.findMany({ where: { model }, orderBy: { source: 'asc' } });
}

const BOOT_ID = randomUUID();
let sequence = 0;

export const batch = (events: WorkerEvent[], more: Partial<EventBatch> = {}): EventBatch => ({
  version: 1,
  host: 'gpu-1',
  bootId: BOOT_ID,
  sequence: (sequence += 1),
  sentAt: START.getTime(),
  events,
  ...more,
});
