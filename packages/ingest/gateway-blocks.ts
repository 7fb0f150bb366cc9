import type { FetchBlock } from '#content/dag/verified-blocks';
import { silentLogger, type Logger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Http } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { blockFetcher, type BlockFetcherOptions } from '#fetch/block-fetcher';

export interface GatewayBlocksOptions {
  /** IPFS gateways, best first. */
  readonly gateways: readonly string[];
  readonly http: Http;
  readonly budgets?: BlockFetcherOptions['budgets'] | undefined;
  readonly logger?: Logger | undefined;
}

/** Fetches blocks of any DAG from gateways; the caller of `FetchBlock` passes the verification of each block. */
export function gatewayBlocks({ gateways, http, budgets, logger = silentLogger }: GatewayBlocksOptions): FetchBlock {
  const sources = makeSources(
    { path: 'block', cid: 'block', digests: {}, sources: [] },
    {
      ...{ gateways, http, logger, hfEndpoint: '', layers: ['ipfs'] },
      health: new SourceHealth(),
      gates: new OriginGates(),
    },
  );
  return blockFetcher(sources, {
    budgets: budgets ?? DEFAULT_BUDGETS,
    now: () => performance.now(),
    random: Math.random,
  }).fetchBlock;
}
