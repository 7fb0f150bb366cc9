import { canonicalCid } from '#content/cid/canonical-cid';
import { tryParseCid, type ParsedCid } from '#content/cid/cid';
import type { CidParts } from '#content/cid/cid-bytes';
import { encodeCar } from '#content/dag/car';
import { decodeUnixfsNode, UNIXFS_TYPE } from '#content/dag/unixfs-node';
import { listDirectory, resolvePath } from '#content/dag/resolve-path';
import { blockName, verifiedBlocks, type FetchBlock } from '#content/dag/verified-blocks';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { ExhaustedError, SourceError, VerifyError } from '#core/failure';
import type { Logger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import { MIB } from '#core/units';
import { blockFetcher } from '#fetch/block-fetcher';
import type { Store } from '#store/open-store';
import { GrowingBlocks } from './growing-blocks.ts';
import type { GrowingFile } from './growing-file.ts';
import type { PullFiles } from './pull-files.ts';

/** A file, as it arrives. */
export interface PulledFile {
  readonly is: 'file';
  /** Canonical. */
  readonly cid: string;
  readonly file: GrowingFile;
}

/** A file of which the nodes alone were fetched. */
export interface DescribedFile {
  readonly is: 'described';
  /** Canonical. */
  readonly cid: string;
  readonly sizeBytes: number;
}

/** What a path below an allowed CID leads to at the gateways. */
export type PulledEntry =
  | PulledFile
  | DescribedFile
  /** Its nodes, all shards of it, are in the store now, or the block of a symbolic link; or the path ends at a directory without such a name. */
  | { readonly is: 'directory' }
  | { readonly is: 'unobtainable' };

export interface PullCids {
  /** Whether what is below this root may be fetched. */
  allows(root: ParsedCid): boolean;
  /** Whether this block can be had here: it is an allowed root, or of a file that is being fetched. */
  offers(cid: CidParts): boolean;
  /**
   * Follows the names by blocks of the gateways, keeps the nodes on the way, and begins to fetch the file at the end.
   *
   * @param what `facts` fetches no bytes of the file; default `bytes`
   */
  pull(root: ParsedCid, names: readonly string[], what?: 'bytes' | 'facts'): Promise<PulledEntry>;
  /**
   * One node below an allowed root, for the list that names it; that of a directory is kept.
   *
   * @returns undefined when it cannot be had before the signal
   */
  nodeOf(cid: CidParts, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** A block of a file that is being fetched, as soon as it is there. @returns undefined for any other block */
  blockOf(cid: CidParts): Promise<Uint8Array | undefined>;
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
  const growing = new GrowingBlocks();
  const pull = async (root: ParsedCid, names: readonly string[], what: 'bytes' | 'facts'): Promise<PulledEntry> => {
    const fetchBlock = gatewayFetch(files);
    const onTheWay = new Map<string, Uint8Array>();
    const atEnd = new Map<string, Uint8Array>();
    const fetchAtEnd = recording(fetchBlock, atEnd);
    try {
      const cid = await resolvePath(root.cid, names, recording(fetchBlock, onTheWay)).finally(() =>
        keepEach(store, onTheWay),
      );
      const isLink = (): boolean => isSymbolicLink(atEnd.get(cid));
      const built = await buildLeafTable(cid, fetchAtEnd).catch(unlessNode(isLink));
      if (built === undefined) {
        if (!isLink()) await listDirectory(cid, fetchAtEnd);
        await store.writeLeaves(cid, { inner: encodeCar(cid, atEnd) });
        return { is: 'directory' };
      }
      if (what === 'facts') return { is: 'described', cid, sizeBytes: built.table.sizeBytes };
      const spec = { path: names.at(-1) ?? cid, cid, sizeBytes: built.table.sizeBytes, digests: {}, sources: [] };
      const file = files.pull(spec, built);
      growing.add(cid, built, file);
      return { is: 'file', cid, file };
    } catch (error) {
      if (!isKnown(error)) throw error;
      if (isOfDirectory(error)) return { is: 'directory' };
      logger.warn({ err: error, cid: root.cid }, 'what a client asked for cannot be fetched');
      return { is: 'unobtainable' };
    }
  };
  return {
    allows: ({ cid }) => allowed.has(cid),
    offers: (cid) => allowed.has(blockName(cid)) || growing.has(cid),
    blockOf: (cid) => growing.get(cid),
    async nodeOf(cid, signal) {
      const node = await fetchedNode(files, cid, signal);
      if (node !== undefined && FOLDERS.has(decodeUnixfsNode(node).type))
        await keepEach(store, new Map([[blockName(cid), node]]));
      return node;
    },
    pull(root, names, what = 'bytes') {
      const key = [what, root.cid, ...names].join('/');
      const joined = running.get(key) ?? pull(root, names, what).finally(() => running.delete(key));
      running.set(key, joined);
      return joined;
    },
  };
}

/** A directory that is here whole has this block among its others already. */
async function keepEach(store: Store, nodes: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [cid, block] of nodes)
    if ((await store.readLeaves(cid)).inner === undefined)
      await store.writeLeaves(cid, { inner: encodeCar(cid, new Map([[cid, block]])) });
}

const MAX_NODE_BYTES = 8 * MIB;
const FOLDERS: ReadonlySet<number> = new Set([UNIXFS_TYPE.directory, UNIXFS_TYPE.hamt]);

/** @returns undefined when it is no node, or cannot be had before the signal */
async function fetchedNode(files: PullFiles, cid: CidParts, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const limits = { maxBlockBytes: MAX_NODE_BYTES, maxTotalBytes: MAX_NODE_BYTES, signal };
  try {
    const node = await verifiedBlocks(gatewayFetch(files), limits).get(cid, blockName(cid));
    decodeUnixfsNode(node);
    return node;
  } catch (error) {
    if (!isKnown(error) && !signal.aborted) throw error;
    return undefined;
  }
}

const isOfDirectory = (error: unknown): boolean => error instanceof VerifyError && error.kind === 'is-directory';

/** Takes the errors of a directory and of a symbolic link. @throws every other error */
const unlessNode =
  (isLink: () => boolean) =>
  (error: unknown): undefined => {
    const isOfLink = error instanceof VerifyError && error.kind === 'unsupported' && isLink();
    if (!isOfDirectory(error) && !isOfLink) throw error;
  };

const isSymbolicLink = (node: Uint8Array | undefined): boolean =>
  node !== undefined && decodeUnixfsNode(node).type === UNIXFS_TYPE.symlink;

const isKnown = (error: unknown): boolean =>
  error instanceof VerifyError || error instanceof ExhaustedError || error instanceof SourceError;

/** Blocks of any DAG, from all gateways. */
const gatewayFetch = ({ blockSources }: PullFiles): FetchBlock =>
  blockFetcher(blockSources(), {
    budgets: DEFAULT_BUDGETS,
    now: () => performance.now(),
    random: Math.random,
  }).fetchBlock;

/** Remembers the right blocks that pass by, and fetches none of them twice. */
const recording =
  (fetchBlock: FetchBlock, into: Map<string, Uint8Array>): FetchBlock =>
  async (cid, request) => {
    const known = into.get(cid);
    if (known !== undefined) return known;
    const block = await fetchBlock(cid, request);
    if (request.verify(block)) into.set(cid, block);
    return block;
  };
