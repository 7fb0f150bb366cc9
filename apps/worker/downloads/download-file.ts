import type { Tracing } from '#tracing/tracing';
import type { DownloadHandler } from '#queue/jobs/download-handler';
import { Attempt, type AttemptDeps } from './attempt.ts';
import { traceAttempt } from './trace-attempt.ts';

export interface DownloadHandlerDeps extends Omit<AttemptDeps, 'traceTry'> {
  readonly tracing: Tracing;
}

/** Makes the handler of `download-file` jobs: each call is one attempt to bring one file to this host. */
export function createDownloadHandler({ tracing, ...deps }: DownloadHandlerDeps): DownloadHandler {
  return async (job, context) => {
    const running = deps.downloads.begin(job, context.signal);
    const trace = traceAttempt(tracing, job, context.attempt);
    try {
      const result = await new Attempt(job, context, running, { ...deps, traceTry: trace.addTry }).run();
      trace.end(result);
      return result;
    } finally {
      running.end();
    }
  };
}
