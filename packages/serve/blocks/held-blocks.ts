import { readdir, stat } from 'node:fs/promises';
import { blockMatches, type CidParts } from '#content/cid/cid-bytes';
import { IDENTITY, loadHash } from '#content/digest/multihash';
import { leafBytesAt, wrapLeaf } from '#content/leaf/leaf-block';
import type { LeafTable } from '#content/leaf/leaf-table';
import { sameBytes } from '#content/cid/byte-reader';
import { blockName } from '#content/dag/verified-blocks';
import { silentLogger, type Logger } from '#core/logger';
import type { Store } from '#store/open-store';
import { readExactly, type Contents, type OpenContent } from './contents.ts';
import type { GrowingFiles } from '../swarm/growing-files.ts';
import { DigestIndex, INNER, type BlockPlace } from './digest-index.ts';
import { hexOf, type LeafShelf, type Shelved } from './leaf-shelf.ts';
import { rebuildLeaves } from './rebuild-leaves.ts';

/** Blocks of the store by CID, each verified before it is given away. */
export interface HeldBlocks {
  /**
   * @param root the block must belong to the file with this CID; undefined: to any
   * @returns undefined when the block is not here, or belongs to nothing that the reader may read
   */
  get(cid: CidParts, reader: Reader, root?: string): Promise<Uint8Array | undefined>;
}

/** What one client may read. */
export interface Reader {
  /** Showed a token of this server. */
  readonly isTrusted: boolean;
  mayReadContent(sha256: string): boolean;
  mayReadModel(model: string): boolean;
}

/** Blocks as one reader sees them. */
export interface SeenBlocks {
  get(cid: CidParts, root?: string): Promise<Uint8Array | undefined>;
}

/** @returns a node that is made of names and CIDs alone, such as a folder of a model; undefined when there is none that the reader may see */
export type MadeBlocks = (digest: string, reader: Reader) => Promise<Uint8Array | undefined>;

interface BlockParts {
  readonly shelf: LeafShelf;
  readonly contents: Contents;
  readonly made: MadeBlocks;
  /** Files that are being fetched: the nodes above their leaves are given away already. */
  readonly growing?: Pick<GrowingFiles, 'get'> | undefined;
  readonly logger?: Logger | undefined;
}

/** A change of the folder within this time of the last look may have been missed: clocks of disks are coarse. */
const SETTLED_MS = 1_000;

const EMPTY_BLOCKS = [new Uint8Array(0), Uint8Array.of(0x0a, 4, 8, 2, 0x18, 0), Uint8Array.of(0x0a, 2, 8, 1)];

/**
 * Cuts blocks from published files by their leaf tables; nodes above the leaves come from what the store keeps of a CID. The index over
 * all tables is built at the first question and grows with the store.
 */
export function heldBlocks(
  store: Store,
  { shelf, contents, made: makeBlock, growing, logger = silentLogger }: BlockParts,
): HeldBlocks {
  const index = new LeafIndex(store, shelf, logger);
  const rebuilding = new Map<string, Promise<boolean>>();
  const rebuilt = (name: string): Promise<boolean> => {
    const running = rebuilding.get(name) ?? rebuildLeaves(store, contents, name);
    rebuilding.set(name, running);
    return running.finally(() => rebuilding.delete(name));
  };
  const held = async (cid: CidParts, reader: Reader, root?: string): Promise<Uint8Array | undefined> => {
    for (const place of index.placesOf(cid.digest)) {
      const file = { name: index.cidAt(place.table), leaf: place.leaf };
      if (root !== undefined && file.name !== root) continue;
      const block = await blockOf(file, cid, { shelf, contents, reader, growing });
      if (block !== undefined) return block;
    }
    return undefined;
  };
  return {
    async get(cid, reader, root) {
      if (cid.hashCode === IDENTITY) return cid.digest;
      await loadHash(cid.hashCode);
      const empty = EMPTY_BLOCKS.find((block) => blockMatches(cid, block));
      if (empty !== undefined) return empty;
      const before = index.generation;
      const found = await held(cid, reader, root);
      if (found !== undefined) return found;
      await index.refresh();
      const later = index.generation === before ? undefined : await held(cid, reader, root);
      if (root !== undefined) return later;
      const made = later ?? (await makeBlock(hexOf(cid.digest), reader));
      if (made !== undefined && blockMatches(cid, made)) return made;
      // A file whose table is lost: its bytes, cut again, lead to it.
      if (!(await rebuilt(blockName(cid)))) return undefined;
      await index.refresh();
      return held(cid, reader);
    },
  };
}

interface BlockSources {
  readonly shelf: LeafShelf;
  readonly contents: Contents;
  readonly reader: Reader;
  readonly growing: BlockParts['growing'];
}

/** @param file a CID of the store, and which of its leaves the block is */
async function blockOf(
  { name, leaf }: { readonly name: string; readonly leaf: number },
  cid: CidParts,
  { shelf, contents, reader, growing }: BlockSources,
): Promise<Uint8Array | undefined> {
  const shelved = await shelf.get(name);
  const sha256 = shelved === undefined ? undefined : await contents.ofCid(name);
  if (shelved === undefined || (sha256 !== undefined && !reader.mayReadContent(sha256))) return undefined;
  const isGrowing = growing?.get(name, reader) !== undefined;
  const hasContent = async (): Promise<boolean> => isGrowing || (sha256 !== undefined && isHere(contents, sha256));
  if (leaf === INNER) return innerBlock(shelved, cid, hasContent);
  return sha256 === undefined ? undefined : leafBlock(shelved.table, leaf, cid, () => contents.open(sha256));
}

const isHere = async (contents: Contents, sha256: string): Promise<boolean> =>
  (await contents.look(sha256)) !== undefined;

/** Nodes of a file outlive it where it was deleted, and lead to nothing then; nodes of a directory stand alone. */
async function innerBlock(
  { table, inner }: Shelved,
  cid: CidParts,
  hasContent: () => Promise<boolean>,
): Promise<Uint8Array | undefined> {
  const block = inner.get(hexOf(cid.digest));
  if (block === undefined || !blockMatches(cid, block)) return undefined;
  return table === undefined || (await hasContent()) ? block : undefined;
}

/** Cuts a leaf out of the published file and verifies it. */
async function leafBlock(
  table: LeafTable | undefined,
  leaf: number,
  cid: CidParts,
  open: () => Promise<OpenContent | undefined>,
): Promise<Uint8Array | undefined> {
  if (table?.hashCode !== cid.hashCode || !sameBytes(digestAt(table, leaf), cid.digest)) return undefined;
  const content = await open();
  if (content === undefined) return undefined;
  try {
    const bytes = await readExactly(content, table.starts[leaf]!, leafBytesAt(table, leaf));
    return bytes && wrapLeaf(table, leaf, bytes);
  } finally {
    await content.close();
  }
}

/** The digest of a leaf: a view into the table. */
export const digestAt = (table: LeafTable, leaf: number): Uint8Array =>
  table.digests.subarray(leaf * table.digestBytes, (leaf + 1) * table.digestBytes);

/** Which file of the store has which block. */
class LeafIndex {
  readonly #store: Store;
  readonly #shelf: LeafShelf;
  readonly #logger: Logger;
  #digests = new DigestIndex();
  #cids: string[] = [];
  #seen = new Map<string, number>();
  #seenMtimeMs = Number.NaN;
  #refreshing: Promise<void> | undefined;

  constructor(store: Store, shelf: LeafShelf, logger: Logger) {
    this.#store = store;
    this.#shelf = shelf;
    this.#logger = logger;
  }

  placesOf(digest: Uint8Array): Iterable<BlockPlace> {
    return [...this.#digests.placesOf(digest)];
  }

  cidAt(table: number): string {
    return this.#cids[table]!;
  }

  /** Grows with each table that is entered. */
  get generation(): number {
    return this.#cids.length;
  }

  /** Reads what is new in the folder of tables. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const folder = this.#store.paths.leaves;
    const { mtimeMs } = await stat(folder);
    if (mtimeMs === this.#seenMtimeMs) return;
    const names = await readdir(folder);
    const files = names.filter((name) => /\.(leaves|inner)$/.test(name)).map((name) => `${folder}/${name}`);
    const changed = new Set<string>();
    for (const file of files) {
      const at = (await stat(file).catch(() => undefined))?.mtimeMs;
      if (at === undefined || this.#seen.get(file) === at) continue;
      this.#seen.set(file, at);
      changed.add(file.slice(folder.length + 1).replace(/\.(leaves|inner)$/, ''));
    }
    for (const cid of changed) await this.#add(cid);
    this.#seenMtimeMs = Date.now() - mtimeMs > SETTLED_MS ? mtimeMs : Number.NaN;
  }

  async #add(cid: string): Promise<void> {
    this.#shelf.forget(cid);
    const shelved = await this.#shelf.get(cid);
    if (shelved === undefined) {
      this.#logger.debug({ cid }, 'kept leaf table is not usable');
      return;
    }
    const number = this.#cids.push(cid) - 1;
    this.#addLeaves(shelved, number);
    for (const digest of shelved.inner.keys())
      this.#digests.add(Buffer.from(digest, 'hex'), { table: number, leaf: INNER }, () => false);
  }

  #addLeaves({ table }: Shelved, number: number): void {
    for (let leaf = 0; leaf < (table?.count ?? 0); leaf += 1) {
      if (table!.known.has(leaf)) continue;
      const digest = digestAt(table!, leaf);
      const isSame = (other: number): boolean => other !== INNER && sameBytes(digestAt(table!, other), digest);
      this.#digests.add(digest, { table: number, leaf }, isSame);
    }
  }
}
