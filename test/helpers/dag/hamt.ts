import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { murmur3x64 } from '#content/digest/murmur3';
import { makeBlock, type TestDag } from './dag.ts';

interface Placed {
  readonly name: string;
  readonly dag: TestDag;
  readonly hash: bigint;
}

/** A sharded directory of these entries; a name given twice stands twice. */
export function makeHamt(entries: readonly { name: string; dag: TestDag }[], fanout = 256): TestDag {
  const bits = BigInt(Math.log2(fanout));
  const placed = entries.map((entry) => ({ ...entry, hash: murmur3x64(Buffer.from(entry.name)) }));
  const blocks = new Map(entries.flatMap(({ dag }) => [...dag.blocks]));
  const cid = shard(placed, 64n - bits, { bits, fanout, blocks });
  return { cid, blocks };
}

interface Shape {
  readonly bits: bigint;
  readonly fanout: number;
  readonly blocks: Map<string, Uint8Array>;
}

function shard(entries: readonly Placed[], shift: bigint, shape: Shape): string {
  const { bits, fanout, blocks } = shape;
  const width = (fanout - 1).toString(16).length;
  const places = new Map<number, Placed[]>();
  for (const entry of entries) {
    const place = Number((entry.hash >> shift) & (BigInt(fanout) - 1n));
    places.set(place, [...(places.get(place) ?? []), entry]);
  }
  const links: dagPb.PBLink[] = [];
  const bitfield = Buffer.alloc(fanout / 8);
  for (const [place, there] of [...places].sort(([a], [b]) => a - b)) {
    const prefix = place.toString(16).toUpperCase().padStart(width, '0');
    bitfield[bitfield.length - 1 - (place >> 3)]! |= 1 << (place & 7);
    const sameName = there.every(({ name }) => name === there[0]!.name);
    if (sameName) for (const { name, dag } of there) links.push(link(prefix + name, dag.cid));
    else links.push(link(prefix, shard(there, shift - bits, shape)));
  }
  const options = { type: 'hamt-sharded-directory', data: bitfield, fanout: BigInt(fanout), hashType: 0x22n } as const;
  const dag = makeBlock(0x70, dagPb.encode({ Data: new UnixFS(options).marshal(), Links: links }));
  for (const [cid, block] of dag.blocks) blocks.set(cid, block);
  return dag.cid;
}

const link = (name: string, cid: string): dagPb.PBLink => ({ Hash: CID.parse(cid), Name: name, Tsize: 7 });
