import { encodeCar } from '#content/dag/car';
import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import type { FileSpec } from '#core/file-spec';
import type { Layer } from '#core/layer';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import { obtain, type Obtained } from '#fetch/obtain';
import type { Http } from '#http/pool';
import type { LeasedPartial } from '#os/lease/leased-partial';
import { makeSources, type Guards } from '#sources/make-sources';
import { contentKey } from '#store/blobs/partial-lease';
import type { Store } from '#store/open-store';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { GrowingFile } from './growing-file.ts';

/** Where what is not here is fetched from. */
export interface Upstream {
  readonly http: Http;
  readonly hfEndpoint: string;
  /** Sent to the hub's own origin alone. */
  readonly hfToken?: string | undefined;
  readonly gateways: readonly string[];
}

/** Limits of the servers that are asked, and what is known of them. */
export type PullGuards = Pick<Guards, 'health' | 'gates'>;

export interface PullFiles {
  /**
   * Begins to fetch a file, or joins the transfer that runs.
   *
   * @param built leaf table of its CID, where it has one
   */
  pull(file: FileSpec & { readonly sizeBytes: number }, built?: BuiltLeafTable): GrowingFile;
  /** The gateways, as sources of any block. */
  blockSources(): Source[];
  /** Ends all transfers; what is proven stays for the next one. */
  stop(): void;
}

const LAYERS: readonly Layer[] = ['ipfs', 'origin'];
/** A partial that was given back is kept for the next request. */
const KEEP_MS = 24 * 3600 * 1000;

/** Fetches files by the ordinary chain and publishes them: one transfer for all clients, of this process and of others of this host. */
export function pullFiles(store: Store, upstream: Upstream, guards: PullGuards, logger: Logger): PullFiles {
  const running = new Map<string, GrowingFile>();
  const stopped = new AbortController();
  const sourcesOf = (file: FileSpec) => makeSources(file, { ...upstream, ...guards, layers: LAYERS, logger });
  const bring = async (file: FileSpec, growing: GrowingFile, built: BuiltLeafTable | undefined): Promise<string> => {
    const { signal } = stopped;
    const outcome = await store.leaseContent(contentKey(file), { find: () => store.find(file), signal });
    if (!('partial' in outcome)) return outcome.found.path;
    const { partial } = outcome;
    try {
      const obtained = await obtainInto(growing, partial, { file, built, sources: sourcesOf(file), signal, logger });
      await partial.assertMine();
      const { path } = await store.publish(publishRequest(built, obtained));
      await partial.discard();
      return path;
    } catch (error) {
      await partial.release({ keepForMs: KEEP_MS });
      throw error;
    }
  };
  return {
    blockSources: () => sourcesOf({ path: 'block', cid: 'block', digests: {}, sources: [] }),
    pull(file, built) {
      const key = contentKey(file);
      const joined = running.get(key);
      if (joined !== undefined) return joined;
      const growing = new GrowingFile(file.sizeBytes, built?.table);
      running.set(key, growing);
      bring(file, growing, built)
        .then(
          (path) => growing.publish(path),
          (error: unknown) => {
            logger.warn({ err: error, path: file.path }, 'what a client asked for cannot be fetched');
            growing.fail(error);
          },
        )
        .finally(() => running.delete(key));
      return growing;
    },
    stop: () => stopped.abort(new Error('the server stops')),
  };
}

interface Wanted {
  readonly file: FileSpec;
  readonly built: BuiltLeafTable | undefined;
  readonly sources: Source[];
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

function obtainInto(
  growing: GrowingFile,
  { partialPath, salvage, lost }: LeasedPartial,
  { file, built, sources, signal, logger }: Wanted,
): Promise<Obtained> {
  return obtain(file, {
    ...{ sources, layers: LAYERS, strategy: 'ordered', partialPath, salvage, logger },
    strict: true,
    tables: built && { load: async () => built, save: async () => undefined },
    dagProfile: file.cid === undefined ? 'unixfs-v1-2025' : undefined,
    fileOperations: growing.watched(nodeFileOperations),
    signal: AbortSignal.any([signal, lost]),
    onProgress: ({ frontierBytes }) => growing.advance(partialPath, frontierBytes),
  });
}

const publishRequest = (
  built: BuiltLeafTable | undefined,
  { partialPath, sizeBytes, digests, cid, table, innerBlocks }: Obtained,
) => ({
  ...{ partialPath, sizeBytes, digests, cid, sha256: digests.sha256! },
  ...(cid && table ? { table: encodeLeafTable(table) } : {}),
  ...(cid && (innerBlocks ?? built) ? { inner: encodeCar(cid, innerBlocks ?? built!.innerBlocks) } : {}),
});
