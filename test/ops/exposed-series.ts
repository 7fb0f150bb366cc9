import { createControlPlaneMetrics } from '#metrics/control-plane-metrics';
import { createWorkerMetrics } from '#metrics/worker-metrics';

/** Every series that API and workers expose once they had something to count, with its labels. */
export async function exposedSeries(): Promise<Map<string, readonly string[]>> {
  const texts = await Promise.all([ofApi(), ofWorker()]);
  const series = new Map<string, Set<string>>();
  for (const [, name, labels = ''] of texts.join('\n').matchAll(/^([a-z_]\w*)(?:\{([^}]*)\})? /gm)) {
    const found = series.get(name!) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) found.add(label!);
    series.set(name!, found);
  }
  return new Map([...series].map(([name, labels]) => [name, [...labels]]));
}

const TRY = { layer: 'ipfs', status: 'failure', errorKind: 'digest-mismatch', latencyMs: 10, bytes: 0 } as const;

function ofApi(): Promise<string> {
  const metrics = createControlPlaneMetrics('1.2.3');
  metrics.tried(TRY);
  metrics.fellBack('ipfs', 'huggingface', 'missing');
  metrics.downloadEnded({ result: 'success', errorKind: null, readyMs: 1 });
  metrics.rolloutEnded('succeeded', 1);
  metrics.delivered('success');
  metrics.answered({ route: '/api/hosts', method: 'GET', status: 200, ms: 1 });
  return metrics.expose({
    ...{ downloads: { success: 1 }, hosts: { online: 1, offline: 0 }, workers: { '1.2.3': 1 } },
    ...{ storeBytes: 1, hostsOverStoreLimit: 0, refusedBatches: { unsigned: 0 }, liveClients: 0 },
    queues: [{ queue: 'pool', jobs: { waiting: 0, active: 0, delayed: 0 }, oldestWaitingMs: 0 }],
    sources: [{ layer: 'ipfs', isUp: true, breakersOpen: 0 }],
  });
}

function ofWorker(): Promise<string> {
  const metrics = createWorkerMetrics('1.2.3');
  metrics.tried(TRY);
  metrics.firstByte('ipfs', 10);
  metrics.served({ kind: 'ipfs', status: 200, sentBytes: 1, isWhole: false });
  metrics.evicted();
  metrics.stored(1);
  metrics.contacted(1);
  return metrics.expose({ ipfs: 0 });
}
