import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { SECOND_MS } from '#core/units';
import { createTransferMetrics, reasonLabel, type MeasuredTry } from './transfer-metrics.ts';

/** What the control plane knows at the moment of a scrape. */
export interface ControlPlaneSnapshot {
  readonly downloads: Readonly<Record<string, number>>;
  readonly hosts: Readonly<Record<'online' | 'offline', number>>;
  /** Workers of online hosts, by version. */
  readonly workers: Readonly<Record<string, number>>;
  /** Bytes in the stores of all hosts that reported. */
  readonly storeBytes: number;
  /** Hosts whose store is over the limit that it warns at. */
  readonly hostsOverStoreLimit: number;
  /** Batches of events that were not believed, by reason; every reason has a number. */
  readonly refusedBatches: Readonly<Record<string, number>>;
  /** Jobs by queue (`hosts` or `pool`) and state, and the age of the oldest that waits. */
  readonly queues: readonly QueueState[];
  /** Sources by layer. */
  readonly sources: readonly { readonly layer: string; readonly isUp: boolean; readonly breakersOpen: number }[];
  readonly liveClients: number;
}

export interface QueueState {
  readonly queue: 'hosts' | 'pool';
  readonly jobs: Readonly<Record<'waiting' | 'active' | 'delayed', number>>;
  readonly oldestWaitingMs: number;
}

/** A download that ended. */
export interface MeasuredEnd {
  readonly result: 'success' | 'failure';
  readonly errorKind: string | null;
  /** From the request to the file. */
  readonly readyMs: number;
}

/** A request that was answered. */
export interface MeasuredRequest {
  /** Its pattern, not its address. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly ms: number;
}

export interface ControlPlaneMetrics {
  readonly contentType: string;
  tried(one: MeasuredTry): void;
  /** A further layer was asked in an attempt. */
  fellBack(from: string, to: string, errorKind: string | null): void;
  downloadEnded(end: MeasuredEnd): void;
  rolloutEnded(outcome: string, ms: number): void;
  /** An attempt to send a message, or `disabled`: a webhook was disabled after it. */
  delivered(result: 'success' | 'failure' | 'disabled'): void;
  answered(request: MeasuredRequest): void;
  /** Prometheus' text format. No host, file, URL or source is ever a label: their number has no bound. */
  expose(snapshot: ControlPlaneSnapshot): Promise<string>;
}

const READY_BUCKETS_S = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400];
const ROLLOUT_BUCKETS_S = [60, 300, 900, 3600, 14_400, 86_400, 604_800];
const REQUEST_BUCKETS_S = [0.005, 0.025, 0.1, 0.25, 1, 5, 30, 60];

/** Metrics of one API process, with those of Node itself. Counters count what this process did since its start. */
export function createControlPlaneMetrics(version: string): ControlPlaneMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const transfers = createTransferMetrics(registry);
  const counters = createCounters(registry);
  const setGauges = createGauges(registry, version);
  return {
    contentType: registry.contentType,
    tried: (one) => transfers.tried(one),
    ...counters,
    expose(snapshot) {
      setGauges(snapshot);
      return registry.metrics();
    },
  };
}

type Counters = Pick<ControlPlaneMetrics, 'fellBack' | 'downloadEnded' | 'rolloutEnded' | 'delivered' | 'answered'>;

function createCounters(registry: Registry): Counters {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]): Counter =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram =>
    new Histogram({ name, help, buckets, labelNames, registers });
  const fallbacks = counter('haulier_source_fallbacks_total', 'Changes to another layer', ['from', 'to', 'reason']);
  const downloads = counter('haulier_host_downloads_total', 'Downloads that ended', ['result', 'reason']);
  const ready = histogram('haulier_time_to_ready_seconds', 'From the request to the verified file', READY_BUCKETS_S);
  const rollouts = counter('haulier_rollouts_total', 'Rollouts that got their verdict', ['outcome']);
  const rolloutTime = histogram('haulier_rollout_duration_seconds', 'From start to verdict', ROLLOUT_BUCKETS_S);
  const deliveries = counter('haulier_webhook_deliveries_total', 'Attempts to send a message', ['result']);
  const labels = ['route', 'method', 'status'];
  const requests = histogram('haulier_api_request_duration_seconds', 'Answered requests', REQUEST_BUCKETS_S, labels);
  for (const result of ['success', 'failure', 'disabled']) deliveries.inc({ result }, 0);
  downloads.inc({ result: 'success', reason: '' }, 0);
  return {
    fellBack: (from, to, errorKind) => fallbacks.inc({ from, to, reason: reasonLabel(errorKind) }),
    downloadEnded({ result, errorKind, readyMs }) {
      downloads.inc({ result, reason: reasonLabel(errorKind) });
      if (result === 'success') ready.observe(readyMs / SECOND_MS);
    },
    rolloutEnded(outcome, ms) {
      rollouts.inc({ outcome });
      rolloutTime.observe(ms / SECOND_MS);
    },
    delivered: (result) => deliveries.inc({ result }),
    answered: ({ route, method, status, ms }) =>
      requests.observe({ route, method, status: `${Math.floor(status / 100)}xx` }, ms / SECOND_MS),
  };
}

/** Versions of workers beyond this number are counted as one. */
const MOST_VERSIONS = 10;

function createGauges(registry: Registry, version: string): (snapshot: ControlPlaneSnapshot) => void {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  gauge('haulier_build_info', 'The version that runs; always 1', ['version']).set({ version }, 1);
  const downloads = gauge('haulier_downloads', 'Downloads by status', ['status']);
  const hosts = gauge('haulier_hosts', 'Hosts by what is known of them', ['state']);
  const workers = gauge('haulier_workers', 'Workers of online hosts', ['version']);
  const storeBytes = gauge('haulier_store_bytes', 'Bytes in the stores of all hosts that reported');
  const overLimit = gauge('haulier_hosts_over_store_limit', 'Hosts whose store is over its warning limit');
  const refused = gauge('haulier_refused_event_batches', 'Batches of worker events that were not believed', ['reason']);
  const jobs = gauge('haulier_queue_jobs', 'Downloads that wait, run or are tried again later', ['queue', 'state']);
  const oldest = gauge('haulier_queue_oldest_waiting_seconds', 'Age of the oldest download that waits', ['queue']);
  const up = gauge('haulier_source_up', 'A source of the layer works', ['source']);
  const open = gauge('haulier_source_breaker_open', 'Breakers of workers that are open', ['source']);
  const clients = gauge('haulier_live_clients', 'Connections for live events');
  return (snapshot) => {
    for (const [status, count] of Object.entries(snapshot.downloads)) downloads.set({ status }, count);
    for (const [state, count] of Object.entries(snapshot.hosts)) hosts.set({ state }, count);
    workers.reset();
    for (const [name, count] of boundedVersions(snapshot.workers)) workers.set({ version: name }, count);
    storeBytes.set(snapshot.storeBytes);
    overLimit.set(snapshot.hostsOverStoreLimit);
    for (const [reason, count] of Object.entries(snapshot.refusedBatches)) refused.set({ reason }, count);
    for (const { queue, jobs: byState, oldestWaitingMs } of snapshot.queues) {
      for (const [state, count] of Object.entries(byState)) jobs.set({ queue, state }, count);
      oldest.set({ queue }, oldestWaitingMs / SECOND_MS);
    }
    for (const { layer: source, isUp, breakersOpen } of snapshot.sources) {
      up.set({ source }, isUp ? 1 : 0);
      open.set({ source }, breakersOpen);
    }
    clients.set(snapshot.liveClients);
  };
}

function boundedVersions(workers: ControlPlaneSnapshot['workers']): [string, number][] {
  const all = Object.entries(workers).toSorted(([, a], [, b]) => b - a);
  const others = all.slice(MOST_VERSIONS).reduce((sum, [, count]) => sum + count, 0);
  return [...all.slice(0, MOST_VERSIONS), ...(others > 0 ? [['other', others] as [string, number]] : [])];
}
