/** A metric as Prometheus sees it. */
export interface MetricName {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** No host, file, URL or rollout is ever a label of the control plane: their number has no bound. */
  readonly labels: readonly string[];
  /** Which program exposes it. */
  readonly of: 'api' | 'worker';
}

const api = (type: MetricName['type'], ...labels: string[]): MetricName => ({ type, labels, of: 'api' });
const worker = (type: MetricName['type'], ...labels: string[]): MetricName => ({ type, labels, of: 'worker' });

/** What the alerts and dashboards in `ops/` may ask for, beside the metrics of Node itself. */
export const METRIC_NAMES: Readonly<Record<string, MetricName>> = {
  haulier_build_info: api('gauge', 'version'),
  haulier_rollouts_total: api('counter', 'outcome'),
  haulier_rollout_duration_seconds: api('histogram'),
  haulier_host_downloads_total: api('counter', 'result', 'reason'),
  haulier_time_to_ready_seconds: api('histogram'),
  haulier_download_attempts_total: api('counter', 'source', 'result', 'reason'),
  haulier_download_bytes_total: api('counter', 'source'),
  haulier_download_duration_seconds: api('histogram', 'source'),
  haulier_source_ttfb_seconds: api('histogram', 'source'),
  haulier_source_up: api('gauge', 'source'),
  haulier_source_breaker_open: api('gauge', 'source'),
  haulier_source_fallbacks_total: api('counter', 'from', 'to', 'reason'),
  haulier_verify_failures_total: api('counter', 'source'),
  haulier_queue_jobs: api('gauge', 'queue', 'state'),
  haulier_queue_oldest_waiting_seconds: api('gauge', 'queue'),
  haulier_hosts: api('gauge', 'state'),
  haulier_workers: api('gauge', 'version'),
  haulier_webhook_deliveries_total: api('counter', 'result'),
  haulier_api_request_duration_seconds: api('histogram', 'route', 'method', 'status'),
  haulier_refused_event_batches: api('gauge', 'reason'),
  haulier_store_bytes: worker('gauge'),
  haulier_store_evictions_total: worker('counter'),
  haulier_peer_bytes_served_total: worker('counter'),
  haulier_last_contact_timestamp_seconds: worker('gauge'),
};
