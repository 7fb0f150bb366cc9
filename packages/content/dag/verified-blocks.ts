import { VerifyError } from '#core/failure';
import { blockMatches, cidText, type CidParts } from '../cid/cid-bytes.ts';
import { IDENTITY, loadHash } from '../digest/multihash.ts';

/** What a block fetcher is told about one request. */
export interface BlockRequest {
  /** A longer block is refused: stop reading at `maxBytes + 1`. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** 1 for the first request of this block; grows each time the bytes returned were not the block. */
  readonly attempt: number;
  /**
   * Whether bytes are the block that was asked for. A fetcher that knows its sources calls it before it returns,
   * marks the source that lied, and asks another one.
   */
  readonly verify: (bytes: Uint8Array) => boolean;
}

/**
 * Fetches one block by canonical CID (version 1, base32). What it returns is not trusted: it is verified before it is
 * parsed, and wrong bytes lead to another call with `attempt + 1`. Rejections (SourceError, abort) end the walk.
 */
export type FetchBlock = (cid: string, request: BlockRequest) => Promise<Uint8Array>;

export interface VerifiedBlocksOptions {
  /** Longest block; bytes. */
  readonly maxBlockBytes: number;
  /** Most bytes of all blocks together, against DAG bombs. */
  readonly maxTotalBytes: number;
  readonly signal: AbortSignal;
  /** Blocks of an earlier run; verified like any other, so they may come from a damaged disk. */
  readonly cache?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** Blocks that were verified, by canonical CID. */
export interface VerifiedBlocks {
  /** @throws VerifyError `leaf-unobtainable` when every answer was wrong, `unsupported` beyond the limits */
  get(cid: CidParts, name: string): Promise<Uint8Array>;
  readonly blocks: Map<string, Uint8Array>;
}

/** Blocks of empty files, raw and UnixFS: never asked for, and some gateways answer them with 204. */
const EMPTY_FILES = [new Uint8Array(0), Uint8Array.of(0x0a, 4, 8, 2, 0x18, 0)];

/** Wrong answers to one request before it is given up: three different sources (docs/rules/ipfs.md). */
const MAX_ANSWERS = 3;

const LEAST_READ_BYTES = 1024;
const MAX_REREADS = 8;

/** Makes the one door through which blocks come in: verified, limited, each fetched once. */
export function verifiedBlocks(fetchBlock: FetchBlock, options: VerifiedBlocksOptions): VerifiedBlocks {
  const blocks = new Map<string, Uint8Array>();
  let totalBytes = 0;
  let readBytes = 0;
  /** A node that is linked a million times is read a million times when directories are listed: that ends somewhere. */
  const reread = (block: Uint8Array): Uint8Array => {
    readBytes += Math.max(block.length, LEAST_READ_BYTES);
    if (readBytes > options.maxTotalBytes * MAX_REREADS)
      throw new VerifyError('unsupported', 'this DAG links the same nodes over and over: it is not followed further');
    return block;
  };
  const accept = (name: string, block: Uint8Array): Uint8Array => {
    totalBytes += block.length;
    if (totalBytes > options.maxTotalBytes)
      throw new VerifyError('unsupported', `the inner nodes of this DAG exceed ${options.maxTotalBytes} bytes`);
    blocks.set(name, block);
    return block;
  };
  return {
    blocks,
    async get(cid, name) {
      if (cid.hashCode === IDENTITY) return reread(cid.digest);
      const held = blocks.get(name);
      if (held !== undefined) return reread(held);
      await loadHash(cid.hashCode);
      const cached = options.cache?.get(name);
      if (cached !== undefined && blockMatches(cid, cached)) return accept(name, cached);
      const empty = EMPTY_FILES.find((block) => blockMatches(cid, block));
      if (empty !== undefined) return accept(name, empty);
      return accept(name, await fetchVerified(cid, name, fetchBlock, options));
    },
  };
}

async function fetchVerified(
  cid: CidParts,
  name: string,
  fetchBlock: FetchBlock,
  { maxBlockBytes, signal }: VerifiedBlocksOptions,
): Promise<Uint8Array> {
  const verify = (bytes: Uint8Array) => bytes.length <= maxBlockBytes && blockMatches(cid, bytes);
  for (let attempt = 1; attempt <= MAX_ANSWERS; attempt += 1) {
    signal.throwIfAborted();
    const bytes = await fetchBlock(name, { maxBytes: maxBlockBytes, signal, attempt, verify });
    if (verify(bytes)) return bytes;
  }
  throw new VerifyError('leaf-unobtainable', `${MAX_ANSWERS} answers for block ${name} were other bytes`);
}

/** Canonical text of a CID, the key of every block map. */
export const blockName = (cid: CidParts): string => cidText(cid.codec, cid.hashCode, cid.digest);
