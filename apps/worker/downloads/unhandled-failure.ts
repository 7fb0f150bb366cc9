import type { WorkerEvent } from '#contracts/worker/worker-events';

const JOB_ID = /^([0-9a-f-]{36})\.g(\d+)$/;

/** The event for a job that failed although its handler returned nothing; undefined for an id of another form. */
export function unhandledFailureEvent(jobId: string, error: Error, at: number): WorkerEvent | undefined {
  const match = JOB_ID.exec(jobId);
  if (match === null) return undefined;
  return {
    type: 'download.failed',
    downloadId: match[1]!,
    generation: Number(match[2]),
    at,
    outcome: null,
    errorKind: 'job-refused',
    message: error.message,
    committedBytes: 0,
    sources: [],
  };
}
