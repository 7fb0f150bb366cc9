import { z } from 'zod';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { LAYER_NAMES } from '#core/layer';
import { DAY_MS } from '#core/units';
import { countRefusedBatches } from '#database/access/refused-events';
import { countDownloads } from '#database/downloads/download-queries';
import { hostTotals } from '#database/hosts/host-queries';
import { metricsSummary } from '#database/history/metrics-queries';
import { createControlPlaneMetrics, type ControlPlaneSnapshot } from '#metrics/control-plane-metrics';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';

/** The endpoint for Prometheus; it takes a bearer token of the scope `read`. */
export function registerPrometheusRoutes(app: App, deps: Dependencies, version: string): void {
  const metrics = createControlPlaneMetrics();
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
    async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.expose(await snapshot(deps, version))),
  );
}

/** Series that are known begin at 0, so that an alert sees their first increase. */
const zeros = (names: readonly string[]): Record<string, number> => Object.fromEntries(names.map((name) => [name, 0]));

async function snapshot(deps: Dependencies, version: string): Promise<ControlPlaneSnapshot> {
  const { database } = deps;
  const now = deps.now();
  const [downloads, hosts, summary, refusedBatches] = await Promise.all([
    countDownloads(database),
    hostTotals(database, new Date(now.getTime() - deps.hostOfflineAfterMs)),
    metricsSummary(database, new Date(now.getTime() - DAY_MS)),
    countRefusedBatches(database),
  ]);
  return {
    version,
    downloads: { ...zeros(DOWNLOAD_STATUSES), ...downloads },
    hosts: { online: hosts.online, offline: hosts.offline },
    storeBytes: hosts.storeBytes,
    hostsOverStoreLimit: hosts.overStoreLimit,
    refusedBatches,
    tries: LAYER_NAMES.map((layer) => {
      const { attempts = 0, successes = 0, bytes = 0 } = summary.layers.find((one) => one.layer === layer) ?? {};
      return { layer, successes, failures: attempts - successes, bytes };
    }),
  };
}
