import * as dagPb from '@ipld/dag-pb';
import { describe, expect, it } from '@jest/globals';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { createDagBuilder, rebuildInnerBlocks, type DagProfile } from '#content/dag/dag-builder';
import { folderDag } from '#content/dag/folder-dag';
import { listFiles } from '#content/dag/resolve-path';
import { KIB, MIB } from '#core/units';
import { fromBlocks } from '../../../helpers/dag/dag.ts';

const RAW = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const PB = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const files = [
  { path: 'b.bin', cid: PB, tsize: 500 },
  { path: 'a/ä.json', cid: RAW, tsize: 7 },
  { path: 'a/Z.json', cid: RAW, tsize: 9 },
];

/** The block of a directory as the public library writes it. */
const byLibrary = (
  links: readonly { readonly Name: string; readonly Hash: CID; readonly Tsize: number }[],
): Uint8Array => dagPb.encode(dagPb.prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: [...links] }));

describe('the folder around files', () => {
  it.each([1, 0] as const)('EX5 has the blocks that the public library writes, with links of version %d', (version) => {
    const dag = folderDag(files, version)!;
    const linked = (cid: string): CID =>
      version === 0 && CID.parse(cid).code === 0x70 ? CID.parse(cid).toV0() : CID.parse(cid);
    const inner = byLibrary([
      { Name: 'Z.json', Hash: linked(RAW), Tsize: 9 },
      { Name: 'ä.json', Hash: linked(RAW), Tsize: 7 },
    ]);
    const [innerCid, innerBlock] = [...dag.blocks][0]!;
    expect(Buffer.from(innerBlock)).toEqual(Buffer.from(inner));
    const outer = byLibrary([
      { Name: 'a', Hash: linked(innerCid), Tsize: inner.length + 16 },
      { Name: 'b.bin', Hash: linked(PB), Tsize: 500 },
    ]);
    expect(Buffer.from(dag.blocks.get(dag.cid)!)).toEqual(Buffer.from(outer));
  });

  it('EX5 is none where a name is a file and a folder', () => {
    expect(folderDag([...files, { path: 'b.bin/x', cid: RAW, tsize: 1 }], 1)).toBeUndefined();
    expect(folderDag([{ path: 'b.bin/x', cid: RAW, tsize: 1 }, ...files], 1)).toBeUndefined();
  });

  it.each([
    [1, 5_000],
    [0, 5_500],
  ] as const)('EX5 has shards where a directory is long, with links of version %d', async (version, count) => {
    const pathsOf = (length: number) => Array.from({ length }, (_, at) => `deep/file-${at}.bin`);
    const dagOf = (length: number) =>
      folderDag(
        pathsOf(length).map((path) => ({ path, cid: RAW, tsize: 1 })),
        version,
      )!;
    const dag = dagOf(count);
    const listed = await listFiles(dag.cid, fromBlocks(dag.blocks));
    expect(listed.map(({ path }) => path).sort()).toEqual(pathsOf(count).sort());
    for (const block of dag.blocks.values()) expect(block.length).toBeLessThan(64 * KIB);
    expect(dagOf(3_000).blocks.size).toBe(2);
  });
});

describe('nodes above the leaves', () => {
  it.each<[DagProfile, number]>([
    ['unixfs-v1-2025', 3],
    ['unixfs-v0-2015', 60],
  ])('EX5 follow from the leaf table of %s', (profile, mib) => {
    const builder = createDagBuilder(profile);
    const block = Buffer.alloc(MIB, 7);
    for (let at = 0; at < mib; at += 1) builder.update(block);
    const { table, innerBlocks } = builder.finish();
    expect([...rebuildInnerBlocks(table)!.keys()]).toEqual([...innerBlocks.keys()]);
    expect(rebuildInnerBlocks({ ...table, rootCid: PB })).toBeUndefined();
  });
});
