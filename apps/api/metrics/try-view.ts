import type { Try } from '#contracts/http/downloads';
import type { MetricsList } from '#contracts/http/metrics';
import type { SourceKind } from '#core/layer';
import type { TryRow } from '#database/history/metrics-queries';
import { momentOf } from '../server/requests/moment.ts';

export const tryView = (row: TryRow): Try => ({
  at: momentOf(row.at),
  generation: row.generation,
  attempt: row.attempt,
  sequence: row.sequence,
  layer: row.layer,
  kind: row.kind as SourceKind,
  source: row.source,
  status: row.status,
  latencyMs: row.latencyMs,
  bytes: row.bytes,
  errorKind: row.errorKind,
  errorMessage: row.errorMessage,
  reason: row.reason,
});

/** A try as the metrics show it: the origin of its source is called `gateway`, the kind of its error `errorType`. */
export const tryRecord = (row: TryRow): MetricsList['records'][number] => ({
  at: momentOf(row.at),
  downloadId: row.downloadId,
  host: row.host,
  model: row.model,
  modelType: row.modelType,
  layer: row.layer,
  kind: row.kind as SourceKind,
  gateway: row.origin,
  source: row.source,
  status: row.status,
  latencyMs: row.latencyMs,
  bytes: row.committedBytes,
  totalBytes: row.totalBytes,
  errorType: row.errorKind,
  errorMessage: row.errorMessage,
});
