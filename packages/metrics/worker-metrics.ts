import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { SECOND_MS } from '#core/units';
import { createServeMetrics, type ServedAnswer } from './serve-metrics.ts';
import { createTransferMetrics, type MeasuredTry } from './transfer-metrics.ts';

/** Metrics of one worker. */
export interface WorkerMetrics {
  readonly contentType: string;
  tried(one: MeasuredTry): void;
  /** @param ms from a request to a source of the layer until its first byte came */
  firstByte(layer: string, ms: number): void;
  /** A client of the store of this worker had its answer. */
  served(answer: ServedAnswer): void;
  evicted(): void;
  stored(bytes: number): void;
  /** Redis took something from this worker. @param atMs milliseconds since 1970 */
  contacted(atMs: number): void;
  /** @param breakersOpen origins that are not asked now, by layer */
  expose(breakersOpen: Readonly<Record<string, number>>): Promise<string>;
}

const FIRST_BYTE_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** @param version of the program */
export function createWorkerMetrics(version: string): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers });
  gauge('haulier_build_info', 'The version that runs; always 1', ['version']).set({ version }, 1);
  const transfers = createTransferMetrics(registry);
  const served = createServeMetrics(registry);
  const firstBytes = new Histogram({
    ...{ name: 'haulier_source_ttfb_seconds', help: 'From a request to a source until its first byte', registers },
    ...{ labelNames: ['source'], buckets: FIRST_BYTE_BUCKETS_S },
  });
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
    firstByte: (source, ms) => firstBytes.observe({ source }, ms / SECOND_MS),
    served: (answer) => served.count(answer),
    evicted: () => evictions.inc(),
    stored: (bytes) => storeBytes.set(bytes),
    contacted: (atMs) => contact.set(atMs / SECOND_MS),
    expose(breakersOpen) {
      for (const [source, count] of Object.entries(breakersOpen)) breakers.set({ source }, count);
      return registry.metrics();
    },
  };
}
