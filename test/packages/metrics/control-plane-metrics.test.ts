import { describe, expect, it } from '@jest/globals';
import { createControlPlaneMetrics, type ControlPlaneSnapshot } from '#metrics/control-plane-metrics';
import { createWorkerMetrics } from '#metrics/worker-metrics';

const snapshot: ControlPlaneSnapshot = {
  downloads: { success: 4, failed: 1 },
  hosts: { online: 2, offline: 1 },
  workers: { '1.2.3': 2 },
  storeBytes: 12_345,
  hostsOverStoreLimit: 1,
  refusedBatches: { unsigned: 0, forged: 7 },
  queues: [{ queue: 'hosts', jobs: { waiting: 3, active: 2, delayed: 1 }, oldestWaitingMs: 61_000 }],
  sources: [
    { layer: 'ipfs', isUp: false, breakersOpen: 5 },
    { layer: 'huggingface', isUp: true, breakersOpen: 0 },
  ],
  liveClients: 9,
};

const success = { layer: 'ipfs', status: 'success', errorKind: null, latencyMs: 2000, bytes: 100 } as const;
const failure = { ...success, status: 'failure', errorKind: 'digest-mismatch', bytes: 0 } as const;

describe('metrics of the control plane', () => {
  it('ME4 exposes what the snapshot says, in the text format of Prometheus', async () => {
    const text = await createControlPlaneMetrics('1.2.3').expose(snapshot);
    for (const line of [
      'haulier_build_info{version="1.2.3"} 1',
      'haulier_downloads{status="success"} 4',
      'haulier_hosts{state="offline"} 1',
      'haulier_workers{version="1.2.3"} 2',
      'haulier_hosts_over_store_limit 1',
      'haulier_refused_event_batches{reason="unsigned"} 0',
      'haulier_refused_event_batches{reason="forged"} 7',
      'haulier_queue_jobs{queue="hosts",state="waiting"} 3',
      'haulier_queue_oldest_waiting_seconds{queue="hosts"} 61',
      'haulier_source_up{source="ipfs"} 0',
      'haulier_source_breaker_open{source="ipfs"} 5',
      'haulier_live_clients 9',
    ])
      expect(text).toContain(`${line}\n`);
  });

  it('ME4 counts what this process did: tries, fallbacks, ends, rollouts, messages and requests', async () => {
    const metrics = createControlPlaneMetrics('1');
    metrics.tried(success);
    metrics.tried(failure);
    metrics.tried({ ...failure, errorKind: 'evil"} 1\nname' });
    metrics.fellBack('ipfs', 'huggingface', 'digest-mismatch');
    metrics.downloadEnded({ result: 'success', errorKind: null, readyMs: 2000 });
    metrics.downloadEnded({ result: 'failure', errorKind: 'missing', readyMs: 2000 });
    metrics.rolloutEnded('succeeded', 60_000);
    metrics.delivered('failure');
    metrics.answered({ route: '/api/hosts/:name', method: 'GET', status: 404, ms: 3 });
    const text = await metrics.expose(snapshot);
    for (const line of [
      'haulier_download_attempts_total{source="ipfs",result="success",reason=""} 1',
      'haulier_download_attempts_total{source="ipfs",result="failure",reason="digest-mismatch"} 1',
      'haulier_download_attempts_total{source="ipfs",result="failure",reason="other"} 1',
      'haulier_download_attempts_total{source="peer",result="success",reason=""} 0',
      'haulier_download_bytes_total{source="ipfs"} 100',
      'haulier_download_duration_seconds_bucket{le="5",source="ipfs"} 3',
      'haulier_verify_failures_total{source="ipfs"} 1',
      'haulier_source_fallbacks_total{from="ipfs",to="huggingface",reason="digest-mismatch"} 1',
      'haulier_host_downloads_total{result="failure",reason="missing"} 1',
      'haulier_time_to_ready_seconds_count 1',
      'haulier_rollouts_total{outcome="succeeded"} 1',
      'haulier_rollout_duration_seconds_sum 60',
      'haulier_webhook_deliveries_total{result="success"} 0',
      'haulier_webhook_deliveries_total{result="failure"} 1',
      'haulier_api_request_duration_seconds_count{route="/api/hosts/:name",method="GET",status="4xx"} 1',
    ])
      expect(text).toContain(`${line}\n`);
    expect(text).not.toContain('evil');
  });

  it('M02 a version of which no worker is left is not shown, and no more than ten are', async () => {
    const metrics = createControlPlaneMetrics('1');
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`0.${n}`, 30 - n]));
    const shown = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('haulier_workers{'));
    const first = shown(await metrics.expose({ ...snapshot, workers: many }));
    expect([first.length, first.at(-1)]).toEqual([11, 'haulier_workers{version="other"} 210']);
    expect(shown(await metrics.expose(snapshot))).toEqual(['haulier_workers{version="1.2.3"} 2']);
  });
});

describe('metrics of a worker', () => {
  it('ME4 counts its tries and evictions, and shows its store, its breakers and its last contact', async () => {
    const metrics = createWorkerMetrics('1.2.3');
    metrics.tried(success);
    metrics.evicted();
    metrics.stored(12);
    metrics.contacted(1_700_000_000_500);
    const text = await metrics.expose({ ipfs: 2, huggingface: 0 });
    for (const line of [
      'haulier_build_info{version="1.2.3"} 1',
      'haulier_download_attempts_total{source="ipfs",result="success",reason=""} 1',
      'haulier_download_bytes_total{source="ipfs"} 100',
      'haulier_store_bytes 12',
      'haulier_store_evictions_total 1',
      'haulier_last_contact_timestamp_seconds 1700000000.5',
      'haulier_source_breaker_open{source="ipfs"} 2',
    ])
      expect(text).toContain(`${line}\n`);
  });
});
