import { obtain, type Obtained, type ObtainOptions } from '#fetch/obtain';
import type { DownloadJob } from '#contracts/worker/download-job';
import { layerOfName } from '#core/layer';
import type { Source } from '#core/source';
import type { SourceHealth } from '#sources/guards/source-health';
import type { Throttle } from '#transfer/report/throttle';
import type { WorkerConfig } from '../config.ts';
import type { TransferLimits } from './transfer-limits.ts';

export interface Fetcher {
  /** Fetches a job's file into the partial; see `obtain` for what it throws. */
  fetch(job: DownloadJob, hooks: FetchHooks): Promise<Obtained>;
}

export interface FetchHooks extends Pick<
  ObtainOptions,
  'partialPath' | 'salvage' | 'signal' | 'onProgress' | 'onTry' | 'onNodes' | 'logger'
> {
  /** CID of the content by a kept leaf table, when the job names none: the table proves salvaged leaves. */
  readonly leavesOf?: string | undefined;
  /** Called with the sources of the file. */
  readonly onSources?: ((sources: readonly Source[]) => void) | undefined;
  /** The download's own limit, beside those of the worker and of its sources. */
  readonly throttle: Throttle;
}

export interface FetcherDeps {
  readonly config: Pick<WorkerConfig, 'layers' | 'strategy'>;
  /** Of the worker and of its sources, over all transfers. */
  readonly limits: TransferLimits;
  /** The sources of the file in their configured order. */
  readonly sourcesOf: (job: DownloadJob) => Source[];
  /** Health of the sources over all transfers of this worker. */
  readonly health: SourceHealth;
  readonly tables: ObtainOptions['tables'];
}

/** Everything a worker needs to turn a job into a verified partial. */
export function createFetcher({ config, limits, sourcesOf, health, tables }: FetcherDeps): Fetcher {
  return {
    fetch: async (job, { leavesOf, throttle, onSources, ...hooks }) => {
      const sources = sourcesOf(job);
      onSources?.(sources);
      const cid = job.file.cid ?? (await keptCid(tables, leavesOf));
      return obtain(
        { ...job.file, cid },
        {
          ...hooks,
          sources,
          layers: job.layers?.map(layerOfName) ?? config.layers,
          strategy: job.strategy ?? config.strategy,
          tables,
          throttles: [limits.worker, throttle],
          sourceThrottles: ({ origin }) => limits.ofSource(origin),
          health: ({ origin }) => health.of(origin),
          dagProfile: cid === undefined ? 'unixfs-v1-2025' : undefined,
        },
      );
    },
  };
}

/** Used only with a kept leaf table: no source is asked for a CID that the job does not name. */
const keptCid = async (tables: FetcherDeps['tables'], cid: string | undefined): Promise<string | undefined> =>
  cid !== undefined && (await tables?.load(cid)) ? cid : undefined;
