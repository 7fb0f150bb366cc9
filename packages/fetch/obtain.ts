import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { canonicalCid } from '#content/cid/canonical-cid';
import type { DagProfile } from '#content/dag/dag-builder';
import { VerifyError, type SourceError } from '#core/failure';
import { isOfNothing, type FileSpec } from '#core/file-spec';
import { layerOfName, outcomeOf, type Outcome } from '#core/layer';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Source } from '#core/source';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import type { TransferOptions, TransferResult } from '#transfer/report/transfer-options';
import { blockFetcher, type BlockFetcher } from './block-fetcher.ts';
import { expandGuess, provenLeaves, type GuessOptions } from './expand-guess.ts';
import { leafTableOf, type LeafTableCache, type TableOptions } from './leaf-tables.ts';
import { likelyProfile } from './likely-profile.ts';

export interface ObtainOptions extends Omit<TransferOptions, 'file' | 'table' | 'sources'> {
  /** Every source of this file, in configured order. */
  readonly sources: readonly Source[];
  readonly tables?: LeafTableCache | undefined;
  /** Refuse a file that neither a CID nor a digest proves, before the first request. */
  readonly strict?: boolean | undefined;
  /** Called for each block that a source did not give. */
  readonly onBlockFailure?: ((error: SourceError) => void) | undefined;
  /** Called with the number of DAG nodes that are here, and of those that are known so far. */
  readonly onNodes?: ((nodes: NodesProgress) => void) | undefined;
}

export interface NodesProgress {
  readonly done: number;
  readonly found: number;
}

export interface Obtained extends TransferResult {
  readonly outcome: Outcome;
  /** The source that gave most of the bytes; undefined when they were here already. */
  readonly mainSource: string | undefined;
}

/**
 * Fetches one file through the layers of the fallback chain and proves it: its leaf table first where it has a CID, then the
 * bytes, leaf by leaf. The result is a verified partial, which the caller publishes.
 *
 * @throws ExhaustedError naming every source and why it failed; VerifyError when the content itself is wrong; StorageError;
 *   the signal's reason
 */
export async function obtain(asked: FileSpec, options: ObtainOptions): Promise<Obtained> {
  const file = withKnownSize(inOneSpelling(asked));
  if (options.strict && !hasDigest(file) && file.cid === undefined)
    throw new VerifyError('unproven', `nothing proves ${file.path}: give its sha256 or its cid`);
  const { sources, tables, onBlockFailure, ...transferOptions } = options;
  const usable = sources.filter((source) => options.layers.includes(source.layer));
  const blocks = blockFetcher(usable, {
    budgets: options.budgets ?? DEFAULT_BUDGETS,
    now: options.now ?? (() => performance.now()),
    random: options.random ?? Math.random,
    onFailure: onBlockFailure,
  });
  const built = await tableOf(file, blocks, options);
  const dagProfile = built === undefined ? profileOf(asked, options) : undefined;
  const result = await transferExpanding(
    { ...transferOptions, ...withPeers(usable, options, built), dagProfile, file },
    built,
    blocks,
    tables,
  );
  if (result.innerBlocks && result.table && result.cid)
    await tables?.save(result.cid, { table: result.table, innerBlocks: result.innerBlocks });
  return { ...withCarried(result, blocks.mainSource()), ...creditOf(result, blocks.mainSource()) };
}

/** Peers give verified leaves alone: without a leaf table they are not asked. */
const withPeers = (
  usable: readonly Source[],
  { share }: Pick<ObtainOptions, 'share'>,
  built: BuiltLeafTable | undefined,
): Pick<TransferOptions, 'sources' | 'share'> =>
  built === undefined
    ? { sources: usable.filter(({ layer }) => layer !== 'peer'), share: undefined }
    : { sources: usable, share };

/** Partial, tables and result use the normal form of the CID, whatever form was pasted. */
const inOneSpelling = (file: FileSpec): FileSpec =>
  file.cid === undefined ? file : { ...file, cid: canonicalCid(file.cid) };

/** The digest of an empty file gives its size: 0. */
const withKnownSize = (file: FileSpec): FileSpec =>
  file.sizeBytes === undefined && isOfNothing(file.digests) ? { ...file, sizeBytes: 0 } : file;

const hasDigest = ({ digests }: FileSpec): boolean => Object.keys(digests).length > 0;

async function tableOf(
  file: FileSpec,
  blocks: BlockFetcher,
  options: ObtainOptions,
): Promise<BuiltLeafTable | undefined> {
  return file.cid === undefined ? undefined : leafTableOf(file.cid, hasDigest(file), blocks, tableOptions(options));
}

/** Where no source gives blocks, the CID is proven when the bytes, cut by the likely profile, lead to it. */
const profileOf = ({ cid }: FileSpec, { dagProfile }: ObtainOptions): DagProfile | undefined =>
  cid === undefined ? dagProfile : likelyProfile(cid);

const tableOptions = (options: ObtainOptions): TableOptions => ({
  onProgress: options.onNodes,
  cache: options.tables,
  signal: options.signal ?? new AbortController().signal,
  logger: options.logger ?? silentLogger,
});

/** Bounds the work for a DAG with many leaves of an unexpected shape: each costs one rebuild of the table. */
const MAX_EXPANSIONS = 1000;

/**
 * Runs the transfer. When a dag-pb leaf turns out to be an inner node (the guess that avoids fetching it was wrong), the table is
 * expanded in place and the transfer continues with the leaves that are proven (docs/rules/ipfs.md, "Building the leaf table").
 */
async function transferExpanding(
  options: Omit<TransferOptions, 'table'>,
  built: BuiltLeafTable | undefined,
  blocks: BlockFetcher,
  tables: LeafTableCache | undefined,
): Promise<TransferResult> {
  let known = built;
  for (let expansions = 0; ; expansions += 1) {
    try {
      return await transfer({ ...options, table: known?.table });
    } catch (error) {
      const expanded =
        known && expansions < MAX_EXPANSIONS
          ? await expandGuess(error, known, guessing(known, options, blocks))
          : undefined;
      if (!expanded) throw error;
      known = expanded;
      await tables?.save(known.table.rootCid, known);
    }
  }
}

const guessing = (
  { table }: BuiltLeafTable,
  { partialPath, fileOperations = nodeFileOperations, signal }: Omit<TransferOptions, 'table'>,
  blocks: BlockFetcher,
): GuessOptions => ({ blocks, proven: () => provenLeaves(partialPath, table, fileOperations), signal });

/**
 * Credits the bytes that the DAG itself carries, such as a file of one block, to the source of the blocks, unless an earlier run had
 * written them.
 */
function withCarried(result: TransferResult, giver: Source | undefined): TransferResult {
  const bytes = Math.min(result.carriedBytes, result.resumedBytes);
  if (bytes === 0) return result;
  const sources = result.sources.map((report) =>
    report.source === giver?.name ? { ...report, bytes: report.bytes + bytes } : report,
  );
  return { ...result, resumedBytes: result.resumedBytes - bytes, sources };
}

/** A file of one block came with its table; every other file is credited to the source that sent most of its bytes. */
function creditOf(result: TransferResult, tableSource: Source | undefined): Pick<Obtained, 'outcome' | 'mainSource'> {
  const most = result.sources.reduce<{ source: string; bytes: number } | undefined>(
    (best, report) => (report.bytes > (best?.bytes ?? 0) ? report : best),
    undefined,
  );
  // No source sends bytes of an empty file; the source whose answer said that it is empty gets the credit.
  const answered = result.tries.find(({ failure }) => failure === undefined);
  const answeredLayer = answered && layerOfName(answered.layer);
  const layer = result.deepestLayer ?? answeredLayer ?? tableSource?.layer ?? 'cache';
  const without = result.deepestLayer === undefined ? (answered?.source ?? tableSource?.name) : undefined;
  return { outcome: outcomeOf(layer), mainSource: most?.source ?? without };
}
