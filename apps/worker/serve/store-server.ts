import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import type { Http } from '#http/pool';
import type { AccessRules } from '#serve/access/readers';
import { isOwnEndpoint } from '#serve/pull/own-endpoint';
import type { PullGuards, Upstream } from '#serve/pull/pull-files';
import { pullThrough } from '#serve/pull/pull-through';
import { createServe, type ServeOptions } from '#serve/serve';
import { serveServer, type ServeServer } from '#serve/server';
import type { ServeSettings } from '#serve/serve-settings';
import type { Store } from '#store/open-store';
import type { WorkerConfig } from '../config.ts';
import type { MetricsServer } from '../metrics-server.ts';

type ServeConfig = Pick<WorkerConfig, 'serve' | 'huggingFace' | 'ipfsGateways'>;

/** What other hosts get of the files that this worker fetches, and who may. */
export type SharedFiles = Pick<ServeOptions, 'growing' | 'peerId'> & Pick<AccessRules, 'allowedBy'>;

/** What the server shares with the rest of the worker. */
export interface StoreShares extends SharedFiles {
  /** Of the sources: what is fetched for clients keeps the same limits and pauses. */
  readonly guards: PullGuards;
}

export interface StoreServer {
  /** @returns where it listens; undefined where nothing is served */
  start(): Promise<{ readonly host: string; readonly port: number } | undefined>;
  /** Safe twice and before start. */
  stop(): Promise<void>;
}

/**
 * Serves the store of a worker to standard clients. A worker whose port is taken or refused works on without it: its downloads matter
 * more.
 *
 * @param http what is fetched for clients is fetched with it; the caller closes it
 * @param metrics of this worker: one page has what it fetches and what it serves
 */
export function storeServer(
  config: ServeConfig,
  store: Store,
  http: Http,
  metrics: Pick<MetricsServer, 'served' | 'expose'>,
  shared: StoreShares,
  logger: Logger,
): StoreServer {
  const { serve: settings } = config;
  const server =
    settings === undefined
      ? undefined
      : serverOf({ ...settings, ...shared }, upstreamOf(config, http), store, metrics, logger);
  return {
    async start() {
      try {
        const at = await server?.start();
        if (at === undefined) return undefined;
        logger.info(at, 'serves its store to standard clients');
        const { endpoint } = config.huggingFace;
        if (isOwnEndpoint(endpoint, at))
          logger.error({ endpoint }, 'HF_ENDPOINT is this server itself: nothing can be fetched from the hub');
        return at;
      } catch (error) {
        const { host, port = null } = settings!;
        logger.error({ host, port, reason: messageOf(error) }, 'serves nothing: the address cannot be had');
        return undefined;
      }
    },
    stop: async () => server?.stop(),
  };
}

const upstreamOf = ({ huggingFace, ipfsGateways }: ServeConfig, http: Http): Upstream => ({
  ...{ http, hfEndpoint: huggingFace.endpoint, hfToken: huggingFace.token, gateways: ipfsGateways },
});

function serverOf(
  { host, port, allow, allowedBy, guards, ...settings }: ServeSettings & StoreShares,
  upstream: Upstream,
  store: Store,
  metrics: Pick<MetricsServer, 'served' | 'expose'>,
  logger: Logger,
): ServeServer {
  const pull = pullThrough({ store, allow, upstream, guards, logger });
  const access = { ...settings.access, allowedBy };
  const told = { metrics: metrics.expose, onServed: metrics.served };
  const handler = createServe({ ...settings, ...told, access, store, logger, pull });
  return serveServer({ host, port, handler, onStop: pull?.stop });
}
