import { canonicalCid } from '#content/cid/canonical-cid';
import { tryParseCid, type ParsedCid } from '#content/cid/cid';
import { encodeCar } from '#content/dag/car';
import { resolvePath } from '#content/dag/resolve-path';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { ExhaustedError, SourceError, VerifyError } from '#core/failure';
import type { Logger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import { blockFetcher } from '#fetch/block-fetcher';
import type { Store } from '#store/open-store';
import type { GrowingFile } from './growing-file.ts';
import type { PullFiles } from './pull-files.ts';

/** What a path below an allowed CID leads to at the gateways. */
export type PulledEntry =
  | { readonly is: 'file'; readonly file: GrowingFile }
  /** Its nodes are in the store now. */
  | { readonly is: 'directory' }
  | { readonly is: 'unobtainable' };

export interface PullCids {
  /** Whether what is below this root may be fetched. */
  allows(root: ParsedCid): boolean;
  /** Follows the names by blocks of the gateways, keeps the nodes on the way, and begins to fetch the file at the end. */
  pull(root: ParsedCid, names: readonly string[]): Promise<PulledEntry>;
}

export interface PullCidsOptions {
  readonly store: Store;
  readonly files: PullFiles;
  /** CIDs of files and folders, in any spelling; other texts are ignored. */
  readonly allow: readonly string[];
  readonly logger: Logger;
}

export function pullCids({ store, files, allow, logger }: PullCidsOptions): PullCids {
  const allowed = new Set(allow.filter((text) => tryParseCid(text) !== undefined).map(canonicalCid));
  const running = new Map<string, Promise<PulledEntry>>();
  const pull = async (root: ParsedCid, names: readonly string[]): Promise<PulledEntry> => {
    const nodes = new Map<string, Uint8Array>();
    const fetchBlock = recording(gatewayFetch(files), nodes);
    try {
      const cid = await resolvePath(root.cid, names, fetchBlock);
      if (nodes.size > 0) await store.writeLeaves(root.cid, { inner: encodeCar(root.cid, nodes) });
      const built = await buildLeafTable(cid, fetchBlock);
      const path = names.at(-1) ?? cid;
      const spec = { path, cid, sizeBytes: built.table.sizeBytes, digests: {}, sources: [] };
      return { is: 'file', file: files.pull(spec, built) };
    } catch (error) {
      if (!isKnown(error)) throw error;
      if (error instanceof VerifyError && error.kind === 'is-directory' && nodes.size > 0) {
        await store.writeLeaves(root.cid, { inner: encodeCar(root.cid, nodes) });
        return { is: 'directory' };
      }
      logger.warn({ err: error, cid: root.cid }, 'what a client asked for cannot be fetched');
      return { is: 'unobtainable' };
    }
  };
  return {
    allows: ({ cid }) => allowed.has(cid),
    pull(root, names) {
      const key = [root.cid, ...names].join('/');
      const joined = running.get(key) ?? pull(root, names).finally(() => running.delete(key));
      running.set(key, joined);
      return joined;
    },
  };
}

const isKnown = (error: unknown): boolean =>
  error instanceof VerifyError || error instanceof ExhaustedError || error instanceof SourceError;

/** Blocks of any DAG, from all gateways. */
const gatewayFetch = ({ blockSources }: PullFiles): FetchBlock =>
  blockFetcher(blockSources(), {
    budgets: DEFAULT_BUDGETS,
    now: () => performance.now(),
    random: Math.random,
  }).fetchBlock;

/** Remembers the right blocks that pass by. */
const recording =
  (fetchBlock: FetchBlock, into: Map<string, Uint8Array>): FetchBlock =>
  async (cid, request) => {
    const block = await fetchBlock(cid, request);
    if (request.verify(block)) into.set(cid, block);
    return block;
  };
