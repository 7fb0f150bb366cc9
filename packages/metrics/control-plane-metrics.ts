import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What the control plane knows at the moment of a scrape. */
export interface ControlPlaneSnapshot {
  readonly version: string;
  readonly downloads: Readonly<Record<string, number>>;
  readonly hosts: Readonly<Record<'online' | 'offline', number>>;
  /** Bytes in the stores of all hosts that reported. */
  readonly storeBytes: number;
  /** Hosts whose store is over the limit that it warns at. */
  readonly hostsOverStoreLimit: number;
  /** Batches of events that were not believed, by reason; every reason has a number. */
  readonly refusedBatches: Readonly<Record<string, number>>;
  /** Tries and kept bytes of every layer in the last day. */
  readonly tries: readonly LayerTries[];
}

export interface LayerTries {
  readonly layer: string;
  readonly successes: number;
  readonly failures: number;
  readonly bytes: number;
}

export interface ControlPlaneMetrics {
  readonly contentType: string;
  /** Prometheus' text format. No host, file, URL or source is ever a label: their number has no bound. */
  expose(snapshot: ControlPlaneSnapshot): Promise<string>;
}

/** Metrics of one API process, with those of Node itself. */
export function createControlPlaneMetrics(): ControlPlaneMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const build = gauge('haulier_build_info', 'The version that runs; always 1', ['version']);
  const downloads = gauge('haulier_downloads', 'Downloads by status', ['status']);
  const hosts = gauge('haulier_hosts', 'Hosts by what is known of them', ['state']);
  const storeBytes = gauge('haulier_store_bytes', 'Bytes in the stores of all hosts that reported');
  const overLimit = gauge('haulier_hosts_over_store_limit', 'Hosts whose store is over its warning limit');
  const refused = gauge('haulier_refused_event_batches', 'Batches of worker events that were not believed', ['reason']);
  const tries = gauge('haulier_download_tries', 'Tries at sources in the last 24 hours', ['layer', 'result']);
  const bytes = gauge('haulier_download_bytes', 'Bytes from sources that were kept in the last 24 hours', ['layer']);
  return {
    contentType: registry.contentType,
    expose(snapshot) {
      build.set({ version: snapshot.version }, 1);
      for (const [status, count] of Object.entries(snapshot.downloads)) downloads.set({ status }, count);
      for (const [state, count] of Object.entries(snapshot.hosts)) hosts.set({ state }, count);
      storeBytes.set(snapshot.storeBytes);
      overLimit.set(snapshot.hostsOverStoreLimit);
      for (const [reason, count] of Object.entries(snapshot.refusedBatches)) refused.set({ reason }, count);
      for (const { layer, successes, failures, bytes: kept } of snapshot.tries) {
        tries.set({ layer, result: 'success' }, successes);
        tries.set({ layer, result: 'failure' }, failures);
        bytes.set({ layer }, kept);
      }
      return registry.metrics();
    },
  };
}
