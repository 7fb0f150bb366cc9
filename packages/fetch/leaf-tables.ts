import { buildLeafTable, type BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { parseCid, type ParsedCid } from '#content/cid/cid';
import { ExhaustedError, VerifyError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { BlockFetcher } from './block-fetcher.ts';

/** Keeps leaf tables and their inner blocks between transfers, such as a host's store. */
export interface LeafTableCache {
  load(cid: string): Promise<BuiltLeafTable | undefined>;
  save(cid: string, built: BuiltLeafTable): Promise<void>;
}

export interface TableOptions {
  readonly cache: LeafTableCache | undefined;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly onProgress?: ((nodes: { done: number; found: number }) => void) | undefined;
}

/**
 * The leaf table of a CID: from the cache, else from verified inner nodes of the sources.
 *
 * @param otherProof true when the file has a digest too: then sources without blocks may give it whole, and a missing table is no
 *   failure
 * @returns undefined when there is none and the file can be proven without it
 * @throws VerifyError when the DAG itself is wrong, and before any request when the text is no CID; ExhaustedError when no source gives its blocks
 */
export async function leafTableOf(
  cid: string,
  otherProof: boolean,
  blocks: BlockFetcher,
  options: TableOptions,
): Promise<BuiltLeafTable | undefined> {
  const root = rootOf(cid);
  const cached = await options.cache?.load(root.cid);
  if (cached) return cached;
  try {
    const built = await buildLeafTable(root, blocks.fetchBlock, {
      signal: options.signal,
      onProgress: options.onProgress,
    });
    await options.cache?.save(root.cid, built);
    return built;
  } catch (error) {
    if (!otherProof || !(error instanceof ExhaustedError)) throw error;
    options.logger.warn({ cid, err: error }, 'no leaf table: the file is proven as a whole');
    return undefined;
  }
}

/** An invalid CID is a permanent failure. */
function rootOf(cid: string): ParsedCid {
  try {
    return parseCid(cid);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new VerifyError('unsupported', cause.message, { cause });
  }
}
