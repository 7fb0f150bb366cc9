import { z } from 'zod';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { LAYER_NAMES, type LayerName } from '#core/layer';
import type { ListedSource } from '#contracts/http/sources';
import { countRefusedBatches } from '#database/access/refused-events';
import { countDownloads } from '#database/downloads/status-counts';
import { hostTotals, workersByVersion } from '#database/hosts/host-queries';
import { queuesNow } from '#database/history/chart-queries';
import type { ControlPlaneSnapshot, QueueState } from '#metrics/control-plane-metrics';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { allSources } from '../sources/all-sources.ts';

/** The endpoint for Prometheus; it takes a bearer token of the scope `read`. */
export function registerPrometheusRoutes(app: App, deps: Dependencies): void {
  const { metrics } = deps;
  app.get(
    '/metrics',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'scrapeMetrics',
        summary: "Metrics in Prometheus' text format",
        tags: ['metrics'],
        security: TOKEN_REQUIRED,
        response: {
          200: { description: 'One sample a line', content: { [metrics.contentType]: { schema: z.string() } } },
          ...problems(),
        },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.expose(await snapshot(deps))),
  );
}

/** Series that are known begin at 0, so that an alert sees their first increase. */
const zeros = (names: readonly string[]): Record<string, number> => Object.fromEntries(names.map((name) => [name, 0]));

async function snapshot(deps: Dependencies): Promise<ControlPlaneSnapshot> {
  const { database, live } = deps;
  const now = deps.now();
  const aliveSince = new Date(now.getTime() - deps.hostOfflineAfterMs);
  const [downloads, hosts, workers, queues, sources, refusedBatches] = await Promise.all([
    countDownloads(database),
    hostTotals(database, aliveSince),
    workersByVersion(database, aliveSince),
    queuesNow(database, now),
    allSources(deps),
    countRefusedBatches(database),
  ]);
  return {
    downloads: { ...zeros(DOWNLOAD_STATUSES), ...downloads },
    hosts: { online: hosts.online, offline: hosts.offline },
    workers,
    storeBytes: hosts.storeBytes,
    hostsOverStoreLimit: hosts.overStoreLimit,
    refusedBatches,
    queues: (['hosts', 'pool'] as const).map((queue) => queueState(queue, queues)),
    sources: LAYER_NAMES.map((layer) => layerState(layer, sources)),
    liveClients: live.hub.counts.clients,
  };
}

function queueState(queue: QueueState['queue'], queues: Awaited<ReturnType<typeof queuesNow>>): QueueState {
  const { waiting = 0, running = 0, paused = 0, oldestWaitingMs = 0 } = queues.find((one) => one.queue === queue) ?? {};
  return { queue, jobs: { waiting, active: running, delayed: paused }, oldestWaitingMs };
}

/** A layer that was never tried counts as working. */
function layerState(layer: LayerName, sources: readonly ListedSource[]): ControlPlaneSnapshot['sources'][number] {
  const own = sources.filter((source) => source.layer === layer);
  const works = ({ state }: ListedSource): boolean => state === 'up' || state === 'degraded' || state === 'unknown';
  return {
    ...{ layer, isUp: own.length === 0 || own.some(works) },
    breakersOpen: own.reduce((sum, { breakers }) => sum + breakers.open, 0),
  };
}
