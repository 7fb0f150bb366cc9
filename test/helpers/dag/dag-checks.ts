import { expect } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { buildLeafTable, type LeafTableOptions } from '#content/leaf/build-leaf-table';
import { verifyLeaf } from '#content/leaf/leaf-block';
import { repairOf, withRepairs } from '#content/leaf/leaf-repair';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { fromBlocks, type TestDag } from './dag.ts';

export const build = (dag: TestDag, options?: LeafTableOptions) =>
  buildLeafTable(dag.cid, fromBlocks(dag.blocks), options);

/** Counts what is asked. */
export function counted(dag: TestDag): { fetch: FetchBlock; asked: string[] } {
  const asked: string[] = [];
  const inner = fromBlocks(dag.blocks);
  return { asked, fetch: (cid, request) => (asked.push(cid), inner(cid, request)) };
}

export const leafOf = (table: LeafTable, file: Uint8Array, index: number) =>
  file.subarray(table.starts[index]!, table.starts[index + 1]!);

/** The table with one wrong guess repaired. */
export const repaired = async (
  table: LeafTable,
  leaf: number,
  block: Uint8Array,
  fetchBlock: FetchBlock,
): Promise<LeafTable> => withRepairs(table, [await repairOf(table, leaf, block, fetchBlock)]);

/** Every leaf of the file is proven, and no leaf accepts other bytes. */
export function expectProves(table: LeafTable, file: Uint8Array): void {
  expect(table.sizeBytes).toBe(file.length);
  for (let index = 0; index < table.count; index += 1) {
    const bytes = leafOf(table, file, index);
    if (!verifyLeaf(table, index, bytes)) throw new Error(`leaf ${index} of ${table.count} is not proven`);
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length >> 1]! ^= 1;
    if (verifyLeaf(table, index, flipped)) throw new Error(`leaf ${index} accepts flipped bytes`);
  }
}

const varint = (value: bigint): number[] =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];

/** A file node as an attacker would write it: any sizes, any links. */
export const fileNode = (blockSizes: bigint[], links: { cid: string; tsize?: number; name?: string }[]) =>
  dagPb.encode({
    Data: Uint8Array.from([8, 2, ...blockSizes.flatMap((size) => [0x20, ...varint(size)])]),
    Links: links.map((link) => ({ Hash: CID.parse(link.cid), Name: link.name ?? '', Tsize: link.tsize ?? 0 })),
  });

export const RAW = 0x55;
export const PB = 0x70;
export const identityCid = (bytes: Uint8Array) => CID.create(1, RAW, Digest.create(0, bytes)).toString();
export const NOBODY: FetchBlock = () => Promise.reject(new Error('nothing should be asked'));
