import type { DownloadJob } from '#contracts/worker/download-job';
import { layerOfName } from '#core/layer';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import type { ProxySettings } from '#http/connection/proxy';
import { systemAuthorities } from '#http/connection/system-authorities';
import { configuredBundles } from '#sources/bundle/configured-bundle';
import type { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import type { SourceHealth } from '#sources/guards/source-health';
import type { OnFirstByte } from '#sources/guards/with-health';
import type { WorkerConfig } from '../config.ts';

/** The HTTP client for all sources of this worker. */
export const createWorkerHttp = (config: WorkerConfig, proxy: ProxySettings): Http =>
  createHttp({
    addressPolicy: parseAddressPolicy(config.allowAddresses),
    timeouts: { stallMs: config.stallTimeoutMs },
    proxy,
    ca: config.useSystemCa ? systemAuthorities() : undefined,
  });

/** What all sources of a worker share. */
export interface SharedBySources {
  readonly http: Http;
  readonly health: SourceHealth;
  readonly gates: OriginGates;
  readonly onFirstByte: OnFirstByte;
}

/** Makes the sources of any job's file by this worker's configuration. */
export function workerSources(
  config: WorkerConfig,
  { http, health, gates, onFirstByte }: SharedBySources,
  logger: Logger,
): (job: DownloadJob) => Source[] {
  const bundles = configuredBundles(config.bundles, http);
  return (job) =>
    makeSources(job.file, {
      gateways: config.ipfsGateways,
      gatewayData: config.gatewayData,
      hfEndpoint: config.huggingFace.endpoint,
      hfToken: config.huggingFace.token,
      secrets: config.secrets,
      layers: job.layers?.map(layerOfName) ?? config.layers,
      bundles,
      allowDowngrade: config.allowDowngrade,
      http,
      health,
      gates,
      onFirstByte,
      logger,
    });
}
