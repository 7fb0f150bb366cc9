import type { WorkerEvent } from '#contracts/worker-events';
import type { Logger } from '#core/logger';
import type { DownloadHandler } from '#queue/download-handler';
import type { WorkerConfig } from '../config.ts';
import type { RunningDownloads } from '../running-downloads.ts';

export interface DownloadHandlerDeps {
  readonly config: WorkerConfig;
  readonly downloads: RunningDownloads;
  readonly publish: (event: WorkerEvent) => void;
  /** Resolves when everything published is acknowledged; awaited before the handler returns. */
  readonly flush: (signal?: AbortSignal) => Promise<void>;
  readonly logger: Logger;
}

/** Makes the handler of `download-file` jobs. */
export function createDownloadHandler(deps: DownloadHandlerDeps): DownloadHandler {
  return async (job, context) => {
    const running = deps.downloads.begin(job, context.signal);
    try {
      const { downloadId, generation } = job;
      const error = new Error(`this build of the worker has no way to fetch ${job.file.path}`);
      deps.publish({
        type: 'download.failed',
        downloadId,
        generation,
        at: Date.now(),
        outcome: null,
        errorKind: 'unsupported',
        message: error.message,
        committedBytes: 0,
        sources: [],
      });
      await deps.flush(context.signal);
      return { do: 'fail', error };
    } finally {
      running.end();
    }
  };
}
