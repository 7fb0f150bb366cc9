import { obtain, type Obtained, type ObtainOptions } from '#fetch/obtain';
import type { DownloadJob } from '#contracts/worker/download-job';
import { layerOfName } from '#core/layer';
import type { Source } from '#core/source';
import type { SourceHealth } from '#sources/guards/source-health';
import type { RelatedFile } from '#transfer/report/transfer-options';
import type { Throttle } from '#transfer/report/throttle';
import type { WorkerConfig } from '../config.ts';
import type { SharedDownload } from '../swarm/shared-download.ts';
import type { WorkerSwarm } from '../swarm/worker-swarm.ts';
import { isOutside } from './outside.ts';
import type { SourcePlaces } from './source-places.ts';
import type { TransferLimits } from './transfer-limits.ts';

export interface Fetcher {
  /** Fetches a job's file into the partial; see `obtain` for what it throws. */
  fetch(job: DownloadJob, hooks: FetchHooks): Promise<Obtained>;
}

export type SourceNamed = (name: string) => Source | undefined;

export interface FetchHooks extends Pick<
  ObtainOptions,
  'partialPath' | 'salvage' | 'signal' | 'onProgress' | 'onTry' | 'onNodes' | 'logger'
> {
  /** CID of the content by a kept leaf table, when the job names none: the table proves salvaged leaves. */
  readonly leavesOf?: string | undefined;
  /** Files of this host that may have leaves of the file, with the CIDs of their leaf tables. */
  readonly relatedTo?: readonly { readonly path: string; readonly cid: string }[] | undefined;
  /** Called with a function that finds a source of the file by its name; peers may join later. */
  readonly onSources?: ((sourceNamed: SourceNamed) => void) | undefined;
  /** Called when other hosts may have parts of the file, with a function that ends that: when it is published, or the download ends. */
  readonly onOffered?: ((withdraw: () => void) => void) | undefined;
  /** The download's own limit, beside those of the worker and of its sources. */
  readonly throttle: Throttle;
}

export interface FetcherDeps {
  readonly config: Pick<WorkerConfig, 'layers' | 'strategy'>;
  /** Of the worker and of its sources, over all transfers. */
  readonly limits: TransferLimits;
  /** The sources of the file in their configured order. */
  readonly sourcesOf: (job: DownloadJob) => Source[];
  /** Other hosts that the file is shared with. */
  readonly swarm?: Pick<WorkerSwarm, 'join' | 'fetches'> | undefined;
  /** Health of the sources over all transfers of this worker. */
  readonly health: SourceHealth;
  /** The orders that an admin set. */
  readonly places: SourcePlaces;
  readonly tables: ObtainOptions['tables'];
}

/** Everything a worker needs to turn a job into a verified partial. */
export function createFetcher({ config, limits, sourcesOf, swarm, health, places, tables }: FetcherDeps): Fetcher {
  return {
    fetch: async (job, { leavesOf, relatedTo = [], throttle, onSources, onOffered, ...hooks }) => {
      const cid = job.file.cid ?? (await keptCid(tables, leavesOf));
      const layers = job.layers?.map(layerOfName) ?? config.layers;
      const joined = layers.includes('peer') ? joinSwarm(swarm, job, cid) : undefined;
      const part = takesPart(swarm, joined);
      try {
        const own = sourcesOf(job);
        await part.begin((isLeft) => commonPauseMs(own, health, isLeft));
        const share = joined?.share;
        const sources = [...own, ...peersOf(share)];
        onSources?.((name) => [...own, ...peersOf(share)].find((source) => source.name === name));
        onOffered?.(() => joined?.withdraw());
        const common = commonOptions({ config, limits, health, places, joined }, job, throttle);
        const dagProfile = cid === undefined ? ('unixfs-v1-2025' as const) : undefined;
        const related = await withTables(tables, relatedTo);
        const all = { ...hooks, ...common, sources, layers, tables, share, dagProfile, related };
        return await obtain({ ...job.file, cid }, all);
      } finally {
        part.end();
      }
    },
  };
}

/** What the other hosts of the fleet know of a transfer. One that the tracker does not learn of counts in the limit of the site all the same. */
function takesPart(swarm: FetcherDeps['swarm'], joined: SharedDownload | undefined) {
  const untold = joined?.isTold === true ? undefined : swarm?.fetches();
  return {
    /** Resolves when sources may be asked. */
    begin: async (originPauseMs: Parameters<SharedDownload['start']>[0]): Promise<void> => {
      await Promise.all([untold?.mayBegin, joined?.start(originPauseMs)]);
    },
    end: (): void => {
      joined?.stop();
      untold?.end();
    },
  };
}

/** @returns milliseconds for which all sources of a file that are asked have a pause that they asked for; 0: one of them has none */
function commonPauseMs(
  sources: readonly Source[],
  health: Pick<SourceHealth, 'pauseMs'>,
  isLeft: (source: string) => boolean,
): number {
  const pauses = sources.flatMap(({ name, origin, bucket }) => {
    const ms = health.pauseMs(origin, bucket);
    // A long pause is a reason to leave a source as well.
    return ms === 0 && isLeft(name) ? [] : [ms];
  });
  return pauses.length === 0 ? 0 : Math.min(...pauses);
}

const peersOf = (share: SharedDownload['share'] | undefined): readonly Source[] => share?.sources ?? [];

/** Only leaves are shared, and without a CID there are none. */
const joinSwarm = (
  swarm: FetcherDeps['swarm'],
  job: DownloadJob,
  cid: string | undefined,
): SharedDownload | undefined => (cid === undefined ? undefined : swarm?.join(job, cid));

interface CommonDeps extends Pick<FetcherDeps, 'config' | 'limits' | 'health' | 'places'> {
  readonly joined: SharedDownload | undefined;
}

const commonOptions = (
  { config, limits, health, places, joined }: CommonDeps,
  job: DownloadJob,
  throttle: Throttle,
) => ({
  strategy: job.strategy ?? config.strategy,
  throttles: [limits.worker, throttle],
  sourceThrottles: (source: Source) => [
    ...limits.ofSource(source.origin),
    ...(isOutside(source, (origin) => joined?.isFar(origin) === true) ? [limits.outside] : []),
  ],
  health: ({ origin }: Source) => health.of(origin),
  setPlace: (source: Source) => places.of(source),
});

/** Used only with a kept leaf table: no source is asked for a CID that the job does not name. */
const keptCid = async (tables: FetcherDeps['tables'], cid: string | undefined): Promise<string | undefined> =>
  cid !== undefined && (await tables?.load(cid)) ? cid : undefined;

/** A file whose leaf table is not kept any more is left out. */
async function withTables(
  tables: FetcherDeps['tables'],
  files: NonNullable<FetchHooks['relatedTo']>,
): Promise<RelatedFile[]> {
  const found: RelatedFile[] = [];
  for (const { path, cid } of files) {
    const table = (await tables?.load(cid))?.table;
    if (table !== undefined) found.push({ path, table });
  }
  return found;
}
