import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { SECOND_MS } from '#core/units';
import { createTransferMetrics, type MeasuredTry } from './transfer-metrics.ts';

/** Metrics of one worker. */
export interface WorkerMetrics {
  readonly contentType: string;
  tried(one: MeasuredTry): void;
  evicted(): void;
  stored(bytes: number): void;
  /** Redis took something from this worker. @param atMs milliseconds since 1970 */
  contacted(atMs: number): void;
  /** @param breakersOpen origins that are not asked now, by layer */
  expose(breakersOpen: Readonly<Record<string, number>>): Promise<string>;
}

/** @param version of the program */
export function createWorkerMetrics(version: string): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers });
  gauge('haulier_build_info', 'The version that runs; always 1', ['version']).set({ version }, 1);
  const transfers = createTransferMetrics(registry);
  const storeBytes = gauge('haulier_store_bytes', 'Bytes in the store, as last reported');
  const contact = gauge('haulier_last_contact_timestamp_seconds', 'When Redis last took events of this worker');
  const breakers = gauge('haulier_source_breaker_open', 'Origins that this worker does not ask now', ['source']);
  const evictions = new Counter({
    name: 'haulier_store_evictions_total',
    help: 'Files that made room for others',
    registers,
  });
  return {
    contentType: registry.contentType,
    tried: (one) => transfers.tried(one),
    evicted: () => evictions.inc(),
    stored: (bytes) => storeBytes.set(bytes),
    contacted: (atMs) => contact.set(atMs / SECOND_MS),
    expose(breakersOpen) {
      for (const [source, count] of Object.entries(breakersOpen)) breakers.set({ source }, count);
      return registry.metrics();
    },
  };
}
