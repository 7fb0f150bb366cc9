import { Counter, Registry } from 'prom-client';

/** One answer of a server of a store. */
export interface ServedAnswer {
  /** Bounded: what kind of client asked. */
  readonly kind: string;
  readonly status: number;
  readonly sentBytes: number;
  readonly isWhole: boolean;
}

export interface ServeMetrics {
  count(answer: ServedAnswer): void;
  /** Prometheus' text format. No file, client or CID is ever a label: their number has no bound. */
  expose(): Promise<string>;
}

/**
 * Counts what one process serves.
 *
 * @param registry of the process; its own one by default, which has nothing else
 */
export function createServeMetrics(registry = new Registry()): ServeMetrics {
  const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const answers = counter('haulier_served_answers_total', 'Answers to standard clients', ['kind', 'status']);
  const bytes = counter('haulier_served_bytes_total', 'Bytes sent to standard clients, with headers', ['kind']);
  const broken = counter('haulier_served_broken_total', 'Answers that did not reach their end', ['kind']);
  return {
    count({ kind, status, sentBytes, isWhole }) {
      answers.inc({ kind, status: String(status) });
      bytes.inc({ kind }, sentBytes);
      if (!isWhole) broken.inc({ kind });
    },
    expose: () => registry.metrics(),
  };
}
