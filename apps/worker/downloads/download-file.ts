import type { DownloadHandler } from '#queue/jobs/download-handler';
import { Attempt, type AttemptDeps } from './attempt.ts';

export type DownloadHandlerDeps = AttemptDeps;

/** Makes the handler of `download-file` jobs: each call is one attempt to bring one file to this host. */
export function createDownloadHandler(deps: DownloadHandlerDeps): DownloadHandler {
  return async (job, context) => {
    const running = deps.downloads.begin(job, context.signal);
    try {
      return await new Attempt(job, context, running, deps).run();
    } finally {
      running.end();
    }
  };
}
