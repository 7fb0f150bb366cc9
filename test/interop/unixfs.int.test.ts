import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CID } from 'multiformats/cid';
import { folderDag } from '#content/dag/folder-dag';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { createFileDigester } from '#content/digest/file-digester';
import { loadHash } from '#content/digest/multihash';
import { listFiles, resolvePath } from '#content/dag/resolve-path';
import { KIB, MIB } from '#core/units';
import { expectProves } from '../helpers/dag/dag-checks.ts';
import { fromBlocks } from '../helpers/dag/dag.ts';
import { bytesOf, sha256Of } from '../helpers/transfer-kit.ts';
import { hashesByOthers, imported, installImporter, type ImportOptions } from './unixfs-kit.ts';

const whyNot = await installImporter();
const test = whyNot === undefined ? it : it.skip;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'haulier-unixfs-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const PROFILES = ['unixfs-v1-2025', 'unixfs-v0-2015'] as const;
const SIZES = [0, 1, 256 * KIB, 256 * KIB + 1, MIB, MIB + 1, 174 * 256 * KIB, 174 * 256 * KIB + 1, 60 * MIB + 77];

describe(`another builder of DAGs (ipfs-unixfs-importer)${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  test.each(PROFILES)(
    'gives files of %s the CIDs that ours gives them, in the pass that hashes them',
    async (profile) => {
      const files = SIZES.map((bytes) => ({ path: `${bytes}`, seed: `${bytes}`, bytes }));
      const { cids, blocks } = await imported(home, files, { profile });
      for (const { path, seed, bytes } of files) {
        const file = bytesOf(bytes, seed);
        const digester = createFileDigester({ algorithms: ['sha256'], dagProfile: profile });
        for (let at = 0; at < bytes; at += 100_003) digester.update(file.subarray(at, at + 100_003));
        const { digests, dag } = digester.finish();
        expect([path, dag!.profileCid, digests.sha256]).toEqual([path, cids.get(path), sha256Of(file)]);
        for (const [cid, block] of dag!.innerBlocks) expect(Buffer.from(block).equals(blocks.get(cid)!)).toBe(true);
      }
    },
  );

  test.each<[string, ImportOptions, number]>([
    ['balanced, raw leaves', { layout: 'balanced', width: 5, chunkBytes: 30 * KIB }, 2 * MIB + 5],
    [
      'balanced, dag-pb leaves',
      { layout: 'balanced', width: 5, chunkBytes: 30 * KIB, rawLeaves: false, cidVersion: 0 },
      2 * MIB,
    ],
    ['trickle, raw leaves', { layout: 'trickle', width: 4, chunkBytes: 30 * KIB }, 2 * MIB + 1],
    [
      'trickle as kubo makes it',
      {
        layout: 'trickle',
        width: 4,
        chunkBytes: 30 * KIB,
        rawLeaves: false,
        leafType: 'raw',
        reduceSingleLeafToSelf: false,
      },
      2 * MIB,
    ],
    ['chunks that the content cuts', { rabinBytes: 32 * KIB, width: 8, layout: 'balanced' }, 2 * MIB],
    [
      'chunks that the content cuts, in dag-pb leaves',
      { rabinBytes: 32 * KIB, width: 8, layout: 'trickle', rawLeaves: false },
      2 * MIB,
    ],
    [
      'Data before Links (IPIP-550)',
      { layout: 'balanced', width: 5, chunkBytes: 30 * KIB, fieldOrder: 'data-first', rawLeaves: false },
      MIB,
    ],
    ['one leaf under a root of its own', { reduceSingleLeafToSelf: false, chunkBytes: 64 * KIB }, 50 * KIB],
  ])('lays out files in ways whose leaves we prove: %s', async (_, options, bytes) => {
    const { cids, blocks } = await imported(home, [{ path: 'file', seed: 'layout', bytes }], options);
    const { table, innerBlocks } = await buildLeafTable(cids.get('file')!, fromBlocks(blocks));
    expectProves(table, bytesOf(bytes, 'layout'));
    expect(innerBlocks.size).toBeLessThan(blocks.size);
  });

  test.each([3, 5, 8])('shards folders whose every name we find: %d bits a level', async (shardFanoutBits) => {
    const names = [
      ...Array.from({ length: 400 }, (_, i) => `${i}.txt`),
      ...['a b', 'Portugal%2C+España=1', 'ö', 'o\u0308', '日本語.onnx', '%2e%2e', 'x'.repeat(200), '🚀', "it's"],
    ];
    const files = names.map((name) => ({ path: `folder/sub/${name}`, seed: name, bytes: 30 }));
    const options = { wrapWithDirectory: true, shardSplitThresholdBytes: 0, shardFanoutBits, profile: PROFILES[0] };
    const { cids, blocks } = await imported(home, files, options);
    const root = cids.get('')!;
    const fetch = fromBlocks(blocks);
    for (const { path } of files) {
      expect(await resolvePath(root, path.split('/'), fetch)).toBe(cids.get(path));
      const url = `ipfs://${root}/${path.split('/').map(encodeURIComponent).join('/')}`;
      expect(await resolvePath(url, [], fetch)).toBe(cids.get(path));
    }
    const listed = await listFiles(`/ipfs/${root}/folder`, fetch);
    expect(new Map(listed.map(({ path, cid }) => [`folder/${path}`, cid]))).toEqual(
      new Map(files.map(({ path }) => [path, cids.get(path)])),
    );
    await expect(resolvePath(root, ['folder', 'sub', '400.txt'], fetch)).rejects.toMatchObject({
      kind: 'is-directory',
    });
  });

  test.each(PROFILES)('builds the folder of %s that ours builds, plain and sharded', async (profile) => {
    const long = Array.from({ length: 1_200 }, (_, at) => `long/${`${at}-`.repeat(60).slice(0, 220)}`);
    const files = ['a.json', 'sub/ä.bin', ...long].map((path) => ({ path: `f/${path}`, seed: path, bytes: 30 }));
    const { cids, blocks } = await imported(home, files, { profile });
    const placed = files.map(({ path }) => {
      const cid = CID.parse(cids.get(path)!).toV1().toString();
      return { path: path.slice(2), cid, tsize: blocks.get(cid)!.length };
    });
    const dag = folderDag(placed, profile === 'unixfs-v1-2025' ? 1 : 0)!;
    expect(dag.cid).toBe(CID.parse(cids.get('f')!).toV1().toString());
    expect(dag.blocks.size).toBeGreaterThan(200);
    for (const [cid, block] of dag.blocks) expect(Buffer.from(block).equals(blocks.get(cid)!)).toBe(true);
  });

  test('E12 agrees with another library about every hash', async () => {
    const codes = [
      0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1e, 0x20, 0x1013, 0x1014, 0x1015, 0xb214, 0xb21d, 0xb220, 0xb23f, 0xb240,
    ];
    const hashes = await Promise.all(codes.map(loadHash));
    for (const length of [0, 1, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 100_000]) {
      const bytes = bytesOf(length);
      const theirs = await hashesByOthers(
        hashes.map(({ name }) => name),
        bytes,
      );
      const ours = hashes.map(({ name, hash }) => [name, Buffer.from(hash(bytes)).toString('hex')]);
      expect(Object.fromEntries(ours)).toEqual(theirs);
    }
  });
});
