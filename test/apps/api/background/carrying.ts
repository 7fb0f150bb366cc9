import { randomUUID } from 'node:crypto';
import type { Download, DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import { downloadJob } from '#contracts/worker/download-job';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import type { TestApp } from '../start-app.ts';

/** Requests of downloads, and a look at their jobs. @param app that runs at the time of a call */
export const callsOf = (app: () => TestApp) => ({
  create: async (name: string, host?: string): Promise<Download> => {
    const body = { files: [{ path: `${name}.bin`, sizeBytes: 10, sha256: 'a'.repeat(64) }], host };
    return (await app().call('POST', '/api/downloads', body)).json<DownloadRequest>().downloads[0]!;
  },
  get: async (id: string): Promise<DownloadDetail> => (await app().call('GET', `/api/downloads/${id}`)).json(),
  jobState: async (id: string, generation: number, host: string | null = null) =>
    (await app().deps.queues.inspect([{ host, id: downloadJob.id({ downloadId: id, generation }) }]))[0]!.state,
});

export const batch = (events: WorkerEvent[], host: string | null = null, sequence = 0): EventBatch => ({
  version: 1,
  host,
  bootId: randomUUID(),
  sequence,
  sentAt: Date.now(),
  events,
});
export const started = (downloadId: string, generation = 1): WorkerEvent => ({
  type: 'download.started',
  downloadId,
  generation,
  at: Date.now(),
  attempt: 1,
  resumedBytes: 0,
});
export const progress = (downloadId: string, generation = 1): WorkerEvent => ({
  type: 'download.progress',
  downloadId,
  generation,
  at: Date.now() + 1,
  committedBytes: 5,
  totalBytes: 10,
  bytesPerSecond: 5,
  source: 'gateway',
  retries: 0,
});
export const finished = (downloadId: string, generation = 1): WorkerEvent => ({
  type: 'download.finished',
  downloadId,
  generation,
  at: Date.now() + 2,
  outcome: 'primary_success',
  sizeBytes: 10,
  sha256: 'a'.repeat(64),
  cid: null,
  verified: true,
  path: '/store/a.bin',
  durationMs: 100,
  resumedBytes: 0,
  wastedBytes: 0,
  sources: [{ source: 'gateway', layer: 'ipfs', bytes: 10, wastedBytes: 0, badLeaves: 0, errors: 0 }],
});
