import type { DownloadJob } from '#contracts/worker/download-job';
import type { HandlerResult } from '#queue/jobs/download-handler';
import type { Tracing } from '#tracing/tracing';
import type { TryRecord } from '#transfer/report/transfer-options';

/** The span of one attempt, and one for each of its tries. */
interface AttemptTrace {
  readonly addTry: (record: TryRecord) => void;
  end(result: HandlerResult): void;
}

/** Continues the trace of the request that asked for the download; names of sources are in it, addresses and secrets are not. */
export function traceAttempt(tracing: Tracing, job: DownloadJob, attempt: number): AttemptTrace {
  const { downloadId, file, model, traceparent: parent } = job;
  const facts = {
    'messaging.system': 'bullmq',
    'haulier.download_id': downloadId,
    'haulier.attempt': attempt,
    'haulier.file': file.path,
    'haulier.model': model?.name,
    'haulier.version': model?.version,
  };
  const span = tracing.begin('fetch file', { kind: 'consumer', parent, facts });
  return {
    addTry(record) {
      if (span !== undefined) traceTry(tracing, span.traceparent, record);
    },
    end(result) {
      span?.add({ 'haulier.result': result.do });
      if (result.do === 'fail' || result.do === 'retry') span?.fail(result.error.message);
      span?.end();
    },
  };
}

function traceTry(tracing: Tracing, parent: string, record: TryRecord): void {
  const { source, layer, kind, bytes, failure, durationMs } = record;
  const endedAtMs = Date.now();
  const facts = {
    'haulier.source': source,
    'haulier.source_kind': kind,
    'haulier.bytes': bytes,
    'error.type': failure?.kind,
  };
  const startedAtMs = endedAtMs - durationMs;
  const span = tracing.begin(`try ${layer}`, { kind: 'client', parent, facts, startedAtMs });
  if (failure !== undefined) span?.fail(failure.message);
  span?.end(endedAtMs);
}
