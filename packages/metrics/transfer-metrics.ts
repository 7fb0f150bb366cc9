import { Counter, Histogram, type Registry } from 'prom-client';
import { SOURCE_FAILURE_KINDS } from '#core/failure';
import { LAYER_NAMES } from '#core/layer';
import { SECOND_MS } from '#core/units';

/** One try at one source. */
export interface MeasuredTry {
  readonly layer: string;
  readonly status: 'success' | 'failure';
  /** Null for a success. */
  readonly errorKind: string | null;
  readonly latencyMs: number;
  /** Kept. */
  readonly bytes: number;
}

/** What tries at sources count up. The label `source` is the layer: the number of sources has no bound. */
export interface TransferMetrics {
  tried(one: MeasuredTry): void;
}

const DURATION_BUCKETS_S = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200];

const KNOWN_REASONS: ReadonlySet<string> = new Set(SOURCE_FAILURE_KINDS);

/** @returns a reason that a label may have; what is none of ours is `other` */
export const reasonLabel = (errorKind: string | null): string =>
  errorKind === null ? '' : KNOWN_REASONS.has(errorKind) ? errorKind : 'other';

export function createTransferMetrics(registry: Registry): TransferMetrics {
  const registers = [registry];
  const attempts = new Counter({
    ...{ name: 'haulier_download_attempts_total', help: 'Tries at sources that ended', registers },
    labelNames: ['source', 'result', 'reason'],
  });
  const bytes = new Counter({
    ...{ name: 'haulier_download_bytes_total', help: 'Bytes from sources that were kept', registers },
    labelNames: ['source'],
  });
  const duration = new Histogram({
    ...{ name: 'haulier_download_duration_seconds', help: 'Duration of tries at sources', registers },
    ...{ labelNames: ['source'], buckets: DURATION_BUCKETS_S },
  });
  const wrong = new Counter({
    ...{
      name: 'haulier_verify_failures_total',
      help: 'Tries whose bytes were not what they are said to be',
      registers,
    },
    labelNames: ['source'],
  });
  // Series that are known begin at 0, so that an alert sees their first increase.
  for (const source of LAYER_NAMES) {
    attempts.inc({ source, result: 'success', reason: '' }, 0);
    bytes.inc({ source }, 0);
    wrong.inc({ source }, 0);
  }
  return {
    tried({ layer: source, status: result, errorKind, latencyMs, bytes: kept }) {
      attempts.inc({ source, result, reason: reasonLabel(errorKind) });
      bytes.inc({ source }, kept);
      duration.observe({ source }, latencyMs / SECOND_MS);
      if (errorKind === 'digest-mismatch') wrong.inc({ source });
    },
  };
}
