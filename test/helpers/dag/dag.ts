import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FetchBlock } from '#content/dag/verified-blocks';

/** How a test DAG is laid out. Built with the public IPLD libraries, not with our own builder. */
export interface DagLayout {
  /** Fixed chunk and width of a known profile; the other fields override it. */
  readonly profile?: 'unixfs-v1-2025' | 'unixfs-v0-2015' | undefined;
  /** Leaf length, or lengths used in turn; default 256 KiB. */
  readonly chunkBytes?: number | readonly number[] | undefined;
  /** `pb` is dag-pb Type=File, `pbRaw` dag-pb Type=Raw, `pbMtime` dag-pb with a modification time, `identity` inline CIDs. */
  readonly leaves?: 'raw' | 'pb' | 'pbRaw' | 'pbMtime' | 'identity' | undefined;
  readonly layout?: 'balanced' | 'trickle' | undefined;
  /** Links per node; default 174. */
  readonly width?: number | undefined;
  /** Bytes that every inner node carries itself before its links; default 0. */
  readonly inlineBytes?: number | undefined;
  /** Data before Links in every node (IPIP-550). */
  readonly dataFirst?: boolean | undefined;
  /** What links claim as Tsize: the truth, nothing, or little enough that inner nodes look like leaves. */
  readonly tsize?: 'right' | 'absent' | 'low' | undefined;
  /** Hash of every block by multihash code, for leaves and nodes alike; default SHA-256. */
  readonly hash?: { readonly code: number; readonly digest: (bytes: Uint8Array) => Uint8Array } | undefined;
}

export interface TestDag {
  /** Root as CIDv1 in base32. */
  readonly cid: string;
  /** Every block, leaves included, by CIDv1 in base32. Identity CIDs have no block. */
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

interface Child {
  readonly cid: CID;
  readonly sizeBytes: number;
  readonly tsize: number;
}

const SHA256 = { code: 0x12, digest: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest() };

const PROFILES = {
  'unixfs-v1-2025': { chunkBytes: 1024 * 1024, leaves: 'raw', width: 1024 },
  'unixfs-v0-2015': { chunkBytes: 256 * 1024, leaves: 'pb', width: 174 },
} as const;

/** Makes the DAG of a file and its leaf table, as a block map for the fake origin. */
export async function makeDag(bytes: Uint8Array, layout: DagLayout = {}): Promise<TestDag & { table: LeafTable }> {
  const dag = makeBlocks(bytes, layout);
  const { table } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
  return { ...dag, table };
}

/** Makes only the blocks: for DAGs that our own code should refuse or repair. */
export function makeBlocks(bytes: Uint8Array, layout: DagLayout = {}): TestDag {
  const builder = new Builder({
    ...(layout.profile === undefined ? {} : PROFILES[layout.profile]),
    ...defined(layout),
  });
  const root = layout.layout === 'trickle' ? builder.trickle(bytes) : builder.balanced(bytes);
  return { cid: v1(root.cid).toString(), blocks: builder.blocks };
}

/** A fetcher that answers from a block map. */
export const fromBlocks =
  (blocks: ReadonlyMap<string, Uint8Array>): FetchBlock =>
  async (cid) => {
    const block = blocks.get(cid);
    if (block === undefined) throw new Error(`no block ${cid}`);
    return block;
  };

/** A directory node with these entries in this order. */
export function makeDirectory(entries: readonly { name: string; dag: TestDag }[]): TestDag {
  const links = entries.map(({ name, dag }) => ({ Hash: CID.parse(dag.cid), Name: name, Tsize: 1 }));
  const block = dagPb.encode({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: links.toSorted(byName) });
  const cid = cidOf(0x70, block).toString();
  return { cid, blocks: new Map([...entries.flatMap(({ dag }) => [...dag.blocks]), [cid, block] as const]) };
}

/** One block as it is, under its own CID. */
export function makeBlock(codec: number, block: Uint8Array): TestDag {
  const cid = cidOf(codec, block).toString();
  return { cid, blocks: new Map([[cid, block]]) };
}

/** dag-pb sorts links by name; the sort is stable, so duplicates keep their order. */
const byName = (a: { Name: string }, b: { Name: string }): number =>
  Buffer.compare(Buffer.from(a.Name), Buffer.from(b.Name));

const cidOf = (codec: number, block: Uint8Array): CID =>
  CID.create(1, codec, Digest.create(0x12, SHA256.digest(block)));

const v1 = (cid: CID): CID => cid.toV1();

const defined = (layout: DagLayout): DagLayout =>
  Object.fromEntries(Object.entries(layout).filter(([, value]) => value !== undefined));

class Builder {
  readonly blocks = new Map<string, Uint8Array>();
  private readonly layout: DagLayout;
  private readonly width: number;

  constructor(layout: DagLayout) {
    this.layout = layout;
    this.width = layout.width ?? 174;
  }

  balanced(bytes: Uint8Array): Child {
    const queue = this.reader(bytes);
    let height = 1;
    if (queue.rest() <= queue.nextChunk() && (this.layout.inlineBytes ?? 0) === 0) return this.leaf(queue.take());
    for (let leaves = this.width; leaves * queue.smallestChunk() < bytes.length; leaves *= this.width) height += 1;
    return this.balancedNode(queue, height);
  }

  trickle(bytes: Uint8Array): Child {
    return this.trickleNode(this.reader(bytes), Number.POSITIVE_INFINITY);
  }

  private balancedNode(queue: ChunkReader, height: number): Child {
    const inline = queue.inline(this.layout.inlineBytes ?? 0);
    const children: Child[] = [];
    while (children.length < this.width && queue.rest() > 0)
      children.push(height === 1 ? this.leaf(queue.take()) : this.balancedNode(queue, height - 1));
    return this.node(inline, children);
  }

  private trickleNode(queue: ChunkReader, depth: number): Child {
    const inline = queue.inline(this.layout.inlineBytes ?? 0);
    const children: Child[] = [];
    while (children.length < this.width && queue.rest() > 0) children.push(this.leaf(queue.take()));
    for (let below = 0; below < depth && queue.rest() > 0; below += 1)
      for (let twin = 0; twin < 2 && queue.rest() > 0; twin += 1) children.push(this.trickleNode(queue, below));
    return this.node(inline, children);
  }

  private leaf(bytes: Uint8Array): Child {
    const kind = this.layout.leaves ?? 'raw';
    if (kind === 'identity') {
      const cid = CID.create(1, 0x55, Digest.create(0, bytes));
      return { cid, sizeBytes: bytes.length, tsize: bytes.length };
    }
    if (kind === 'raw') return this.store(0x55, bytes, bytes.length, 0);
    const type = kind === 'pbRaw' ? 'raw' : 'file';
    const data = new UnixFS({ type, data: bytes, ...(kind === 'pbMtime' ? { mtime: { secs: 1_700_000_000n } } : {}) });
    return this.store(0x70, dagPb.encode({ Data: data.marshal(), Links: [] }), bytes.length, 0);
  }

  private node(inline: Uint8Array, children: readonly Child[]): Child {
    const blockSizes = children.map((child) => BigInt(child.sizeBytes));
    const Data = new UnixFS({ type: 'file', blockSizes, ...(inline.length > 0 ? { data: inline } : {}) }).marshal();
    const Links = children.map((child) => ({ Hash: child.cid, Name: '', ...this.tsizeOf(child) }));
    const block = this.layout.dataFirst
      ? Buffer.concat([dagPb.encode({ Data, Links: [] }), dagPb.encode({ Links })])
      : dagPb.encode({ Data, Links });
    const below = children.reduce((sum, child) => sum + child.tsize, 0);
    const sizeBytes = children.reduce((sum, child) => sum + child.sizeBytes, inline.length);
    return this.store(0x70, block, sizeBytes, below);
  }

  private tsizeOf(child: Child): { Tsize?: number } {
    if (this.layout.tsize === 'absent') return {};
    return { Tsize: this.layout.tsize === 'low' ? child.sizeBytes : child.tsize };
  }

  private store(codec: number, block: Uint8Array, sizeBytes: number, below: number): Child {
    const { code, digest } = this.layout.hash ?? SHA256;
    const version = this.layout.profile === 'unixfs-v0-2015' ? 0 : 1;
    const cid = CID.create(version, codec, Digest.create(code, digest(block)));
    this.blocks.set(v1(cid).toString(), block);
    return { cid, sizeBytes, tsize: block.length + below };
  }

  private reader(bytes: Uint8Array): ChunkReader {
    const sizes = this.layout.chunkBytes ?? 256 * 1024;
    return new ChunkReader(bytes, typeof sizes === 'number' ? [sizes] : sizes);
  }
}

/** Hands out a file piece by piece. */
class ChunkReader {
  private at = 0;
  private turn = 0;
  private readonly bytes: Uint8Array;
  private readonly sizes: readonly number[];

  constructor(bytes: Uint8Array, sizes: readonly number[]) {
    this.bytes = bytes;
    this.sizes = sizes;
  }

  rest(): number {
    return this.bytes.length - this.at;
  }

  nextChunk(): number {
    return this.sizes[this.turn % this.sizes.length]!;
  }

  smallestChunk(): number {
    return Math.min(...this.sizes);
  }

  take(): Uint8Array {
    const piece = this.inline(this.nextChunk());
    this.turn += 1;
    return piece;
  }

  inline(length: number): Uint8Array {
    const piece = this.bytes.subarray(this.at, this.at + length);
    this.at += piece.length;
    return piece;
  }
}
