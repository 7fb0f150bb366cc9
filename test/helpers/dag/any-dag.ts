import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { fc } from '../properties.ts';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import type { TestDag } from './dag.ts';

type LeafKind = 'raw' | 'pb' | 'pbRaw' | 'pbMtime' | 'pbOtherOrder' | 'identity' | 'identityPb';

/** What a link claims as Tsize: the truth, nothing, or so little that a node looks like a leaf. */
type Tsize = 'right' | 'absent' | 'low';

export type DagShape =
  | { readonly leaf: LeafKind; readonly bytes: number; readonly tsize: Tsize }
  | {
      readonly children: readonly DagShape[];
      readonly inlineBytes: number;
      readonly dataFirst: boolean;
      readonly hasFilesize: boolean;
      readonly tsize: Tsize;
    };

const tsizes = fc.constantFrom<Tsize>('right', 'right', 'absent', 'low');
const lengths = fc.oneof(fc.constantFrom(0, 1, 1, 2, 127, 128), fc.integer({ min: 1, max: 400 }));
const leaves = fc.record({
  leaf: fc.constantFrom<LeafKind>(
    'raw',
    'raw',
    'pb',
    'pb',
    'pbRaw',
    'pbMtime',
    'pbOtherOrder',
    'identity',
    'identityPb',
  ),
  bytes: lengths,
  tsize: tsizes,
});

const nodeOf = (children: fc.Arbitrary<DagShape[]>): fc.Arbitrary<DagShape> =>
  fc.record({
    children,
    inlineBytes: fc.constantFrom(0, 0, 0, 1, 60),
    dataFirst: fc.boolean(),
    hasFilesize: fc.boolean(),
    tsize: tsizes,
  });

/** Unusual DAGs that the rules allow: leaves of every kind and length beside nodes, at any depth up to five. */
export const dagShapes: fc.Arbitrary<DagShape> = nodeOf(
  fc.array(
    fc.letrec<{ node: DagShape }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
        leaves,
        nodeOf(fc.array(tie('node'), { maxLength: 5 })),
      ),
    })).node,
    { maxLength: 7 },
  ),
);

interface Built {
  readonly cid: CID;
  readonly sizeBytes: number;
  readonly tsize: number;
}

/** Builds the DAG with the public libraries. @param bytesAt the bytes of the file that begin at a position */
export function buildShape(
  shape: DagShape,
  bytesAt: (start: number, length: number) => Uint8Array,
): TestDag & { readonly sizeBytes: number } {
  const blocks = new Map<string, Uint8Array>();
  let position = 0;
  const next = (length: number): Uint8Array => {
    position += length;
    return bytesAt(position - length, length);
  };
  const store = (codec: number, block: Uint8Array, sizeBytes: number, below = 0): Built => {
    const cid = CID.create(1, codec, Digest.create(0x12, createHash('sha256').update(block).digest()));
    blocks.set(cid.toString(), block);
    return { cid, sizeBytes, tsize: block.length + below };
  };
  const inCid = (codec: number, block: Uint8Array, sizeBytes: number): Built => ({
    ...{ cid: CID.create(1, codec, Digest.create(0, block)), sizeBytes, tsize: block.length },
  });
  const leafOf = (kind: LeafKind, length: number): Built => {
    const bytes = next(kind.startsWith('identity') ? Math.min(length, 100) : length);
    if (kind === 'raw') return store(0x55, bytes, bytes.length);
    if (kind === 'identity') return inCid(0x55, bytes, bytes.length);
    const block = pbLeaf(kind, bytes);
    return kind === 'identityPb' ? inCid(0x70, block, bytes.length) : store(0x70, block, bytes.length);
  };
  const build = (part: DagShape): Built => {
    if ('leaf' in part) return leafOf(part.leaf, part.bytes);
    const inline = next(part.inlineBytes);
    const children = part.children.map((child) => ({ ...build(child), claim: child.tsize }));
    const sizeBytes = children.reduce((sum, child) => sum + child.sizeBytes, inline.length);
    const Links = children.map(({ cid, claim, tsize, sizeBytes: bytes }) => ({
      ...{ Hash: cid, Name: '' },
      ...(claim === 'absent' ? {} : { Tsize: claim === 'low' ? bytes : tsize }),
    }));
    const Data = nodeData(
      inline,
      children.map((child) => child.sizeBytes),
      part.hasFilesize ? sizeBytes : undefined,
    );
    const block = part.dataFirst
      ? Buffer.concat([dagPb.encode({ Data, Links: [] }), dagPb.encode({ Links })])
      : dagPb.encode({ Data, Links });
    return store(
      0x70,
      block,
      sizeBytes,
      children.reduce((sum, child) => sum + child.tsize, 0),
    );
  };
  const root = build(shape);
  return { cid: root.cid.toString(), blocks, sizeBytes: root.sizeBytes };
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);

function pbLeaf(kind: LeafKind, bytes: Uint8Array): Uint8Array {
  if (kind !== 'pbOtherOrder') {
    const mtime = kind === 'pbMtime' ? { mtime: { secs: 1_700_000_000n } } : {};
    const unixfs = new UnixFS({ type: kind === 'pbRaw' ? 'raw' : 'file', data: bytes, ...mtime });
    return dagPb.encode({ Data: unixfs.marshal(), Links: [] });
  }
  // As long as the usual block of this leaf: only a look inside shows that its length stands before its bytes.
  const Data = Buffer.from([8, 2, 0x18, ...varint(bytes.length), 0x12, ...varint(bytes.length), ...bytes]);
  return dagPb.encode({ Data, Links: [] });
}

function nodeData(inline: Uint8Array, sizes: readonly number[], filesize: number | undefined): Uint8Array {
  const data = inline.length === 0 ? [] : [0x12, ...varint(inline.length), ...inline];
  const whole = filesize === undefined ? [] : [0x18, ...varint(filesize)];
  return Uint8Array.from([8, 2, ...data, ...whole, ...sizes.flatMap((size) => [0x20, ...varint(size)])]);
}
