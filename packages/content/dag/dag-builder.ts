import { KIB, MIB } from '#core/units';
import { concat } from '../cid/byte-reader.ts';
import { CODEC, cidText, cidV0Text, encodeCid } from '../cid/cid-bytes.ts';
import { LeafColumns } from '../leaf/leaf-columns.ts';
import { leafFrame } from '../leaf/leaf-frame.ts';
import { FRAMING, type Framing, type LeafTable } from '../leaf/leaf-table.ts';
import { hashFunction, SHA2_256, type RunningHash } from '../digest/multihash.ts';
import { encodeFileNode, type ChildLink } from './unixfs-encode.ts';

/**
 * How a file is cut and linked; the name of a profile fixes the CID.
 *
 * - `unixfs-v1-2025` 1 MiB raw leaves, 1024 links a node, CIDv1 (IPIP-499)
 * - `unixfs-v0-2015` 256 KiB dag-pb leaves, 174 links a node, CIDv0: the `Qm…` of most files in the wild
 */
export type DagProfile = 'unixfs-v1-2025' | 'unixfs-v0-2015';

export interface BuiltDag {
  /** Root as CIDv1 in base32, whatever the profile. */
  readonly cid: string;
  /** The root as the profile writes it: `Qm…` for unixfs-v0-2015. */
  readonly profileCid: string;
  readonly table: LeafTable;
  /** Inner blocks by canonical CID; none for a file of one leaf. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
}

export interface DagBuilder {
  /** Takes the next bytes of the file, cut in any way; not kept after the call. */
  update(bytes: Uint8Array): void;
  /** Ends the file; the builder is used up. */
  finish(): BuiltDag;
}

interface ProfileShape {
  readonly leafBytes: number;
  readonly width: number;
  readonly framing: Framing;
  readonly codec: number;
  readonly version: 0 | 1;
}

const SHAPES: Record<DagProfile, ProfileShape> = {
  'unixfs-v1-2025': { leafBytes: MIB, width: 1024, framing: FRAMING.raw, codec: CODEC.raw, version: 1 },
  'unixfs-v0-2015': { leafBytes: 256 * KIB, width: 174, framing: FRAMING.pbFile, codec: CODEC.dagPb, version: 0 },
};

/** Builds a file's DAG in one pass, in memory proportional to the leaf table and one leaf. */
export function createDagBuilder(profile: DagProfile): DagBuilder {
  const shape = SHAPES[profile];
  const columns = new LeafColumns();
  const tree = balancedTree(shape);
  const cutter = leafCutter(shape, (digest, bytes) => {
    columns.pushLeaf(bytes, shape.framing, SHA2_256, digest);
    const { pre, post } = leafFrame(shape.framing, bytes);
    tree.add({ cid: binaryCid(shape, shape.codec, digest), sizeBytes: bytes, tsize: pre.length + bytes + post.length });
  });
  return {
    update: (bytes) => cutter.update(bytes),
    finish() {
      cutter.finish();
      const root = columns.count === 0 ? emptyRoot(shape) : tree.root();
      const cid = cidText(root.codec, SHA2_256, root.digest);
      const profileCid = shape.version === 0 ? cidV0Text(root.digest) : cid;
      return { cid, profileCid, table: columns.toTable(cid), innerBlocks: tree.blocks };
    },
  };
}

/**
 * Builds the nodes above the leaves again from a leaf table.
 *
 * @returns inner blocks by canonical CID; undefined when no profile that we know leads from these leaves to the root of the table
 */
export function rebuildInnerBlocks(table: LeafTable): ReadonlyMap<string, Uint8Array> | undefined {
  if (table.hashCode !== SHA2_256 || table.known.size > 0 || table.count === 0) return undefined;
  for (const shape of Object.values(SHAPES)) {
    if (!table.framing.every((framing) => framing === shape.framing || couldBe(framing, shape))) continue;
    const tree = balancedTree(shape);
    for (let index = 0; index < table.count; index += 1) addLeaf(tree, shape, table, index);
    const root = tree.root();
    if (cidText(root.codec, SHA2_256, root.digest) === table.rootCid) return tree.blocks;
  }
  return undefined;
}

const couldBe = (framing: number, shape: ProfileShape): boolean =>
  framing === FRAMING.pbUnknown && shape.framing === FRAMING.pbFile;

function addLeaf(tree: ReturnType<typeof balancedTree>, shape: ProfileShape, table: LeafTable, index: number): void {
  const bytes = table.starts[index + 1]! - table.starts[index]!;
  const digest = table.digests.subarray(index * table.digestBytes, (index + 1) * table.digestBytes);
  const { pre, post } = leafFrame(shape.framing, bytes);
  const tsize = pre.length + bytes + post.length;
  tree.add({ cid: binaryCid(shape, shape.codec, digest), sizeBytes: bytes, tsize });
}

/** Version 0 links are bare multihashes. */
const binaryCid = (shape: ProfileShape, codec: number, digest: Uint8Array): Uint8Array =>
  shape.version === 0 ? concat([Uint8Array.of(SHA2_256, 32), digest]) : encodeCid(codec, SHA2_256, digest);

interface Root {
  readonly codec: number;
  readonly digest: Uint8Array;
}

function emptyRoot(shape: ProfileShape): Root {
  const { pre, post } = leafFrame(shape.framing, 0);
  return { codec: shape.codec, digest: hashFunction(SHA2_256).hash(concat([pre, post])) };
}

/** Levels of open nodes; a full node is closed and becomes a child of the level above. */
function balancedTree(shape: ProfileShape) {
  const levels: ChildLink[][] = [[]];
  const blocks = new Map<string, Uint8Array>();
  const close = (level: number): void => {
    const children = levels[level]!;
    const block = encodeFileNode(children);
    const digest = hashFunction(SHA2_256).hash(block);
    blocks.set(cidText(CODEC.dagPb, SHA2_256, digest), block);
    levels[level] = [];
    let sizeBytes = 0;
    let tsize = block.length;
    for (const child of children) {
      sizeBytes += child.sizeBytes;
      tsize += child.tsize;
    }
    place(level + 1, { cid: binaryCid(shape, CODEC.dagPb, digest), sizeBytes, tsize });
  };
  /** A node is closed only when a further child needs the place: a lone full node is the root itself. */
  const place = (level: number, child: ChildLink): void => {
    const children = (levels[level] ??= []);
    if (children.length === shape.width) {
      close(level);
      levels[level]!.push(child);
    } else children.push(child);
  };
  const root = (): Root => {
    for (let level = 0; level < levels.length - 1; level += 1) close(level);
    if (levels.at(-1)!.length > 1) close(levels.length - 1);
    const only = levels.at(-1)![0]!;
    const codec = levels.length === 1 ? shape.codec : CODEC.dagPb;
    return { codec, digest: only.cid.subarray(-32) };
  };
  return { add: (child: ChildLink) => place(0, child), root, blocks };
}

/** Cuts the stream into leaves and hashes each; copies only what a framed leaf needs because its length stands first. */
function leafCutter(shape: ProfileShape, onLeaf: (digest: Uint8Array, bytes: number) => void) {
  const framed = shape.framing !== FRAMING.raw;
  const algorithm = hashFunction(SHA2_256);
  const held = framed ? new Uint8Array(shape.leafBytes) : undefined;
  let running: RunningHash | undefined;
  let filled = 0;
  const emit = (): void => {
    const bytes = filled;
    const digest = held === undefined ? running!.digest() : framedDigest(shape, held.subarray(0, bytes));
    running = undefined;
    filled = 0;
    onLeaf(digest, bytes);
  };
  const add = (piece: Uint8Array): void => {
    if (held === undefined) (running ??= algorithm.create()).update(piece);
    else held.set(piece, filled);
    filled += piece.length;
    if (filled === shape.leafBytes) emit();
  };
  const whole = (leaf: Uint8Array): void =>
    onLeaf(framed ? framedDigest(shape, leaf) : algorithm.hash(leaf), leaf.length);
  return {
    update(bytes: Uint8Array): void {
      for (let at = 0; at < bytes.length;) {
        const end = Math.min(bytes.length, at + shape.leafBytes - filled);
        const piece = bytes.subarray(at, end);
        if (piece.length === shape.leafBytes) whole(piece);
        else add(piece);
        at = end;
      }
    },
    finish(): void {
      if (filled > 0) emit();
    },
  };
}

function framedDigest(shape: ProfileShape, leaf: Uint8Array): Uint8Array {
  const { pre, post } = leafFrame(shape.framing, leaf.length);
  const hash = hashFunction(SHA2_256).create();
  hash.update(pre);
  hash.update(leaf);
  hash.update(post);
  return hash.digest();
}
