import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { walkPath } from 'ipfs-unixfs-exporter';
import { CID } from 'multiformats/cid';
import { murmur3x64 } from '#content/digest/murmur3';
import { listFiles, resolvePath } from '#content/dag/resolve-path';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { fromBlocks, makeBlock, makeBlocks, makeDirectory, type TestDag } from '../../../helpers/dag/dag.ts';
import { makeHamt } from '../../../helpers/dag/hamt.ts';

const file = (bytes = 20): TestDag => makeBlock(0x55, randomBytes(bytes));
const pbFile = makeBlocks(randomBytes(5000), { chunkBytes: 1000, leaves: 'pb' });
const symlink = makeBlock(
  0x70,
  dagPb.encode({ Data: new UnixFS({ type: 'symlink', data: Buffer.from('/etc/passwd') }).marshal(), Links: [] }),
);
const names = Array.from({ length: 1000 }, (_, i) => `${i}.txt`);
const big = names.map((name) => ({ name, dag: file() }));

function asked(dag: TestDag): { fetch: FetchBlock; cids: string[] } {
  const cids: string[] = [];
  const inner = fromBlocks(dag.blocks);
  return { cids, fetch: (cid, request) => (cids.push(cid), inner(cid, request)) };
}

/** What the public exporter resolves, in the normal form. */
async function theirs(dag: TestDag, path: string): Promise<string | undefined> {
  const storage = {
    async *get(cid: CID) {
      yield dag.blocks.get(cid.toV1().toString())!;
    },
  };
  let last: string | undefined;
  for await (const entry of walkPath(`${dag.cid}/${path}`, storage)) last = entry.cid.toString();
  return last;
}

describe('murmur3x64', () => {
  it.each([
    ['', '0'],
    ['hello', 'cbd8a7b341bd9b02'],
    ['The quick brown fox jumps over the lazy dog', 'e34bbc7bbc071b6c'],
  ])('hashes %j to the published value', (text, expected) => {
    expect(murmur3x64(Buffer.from(text)).toString(16)).toBe(expected);
  });
});

describe('resolvePath', () => {
  const leaf = file();
  const inner = makeDirectory([
    { name: 'model.onnx', dag: pbFile },
    { name: 'Portugal%2C+España=1', dag: leaf },
  ]);
  const root = makeDirectory([
    { name: 'onnx', dag: inner },
    { name: 'readme', dag: leaf },
  ]);

  it('follows names through basic directories, by verified blocks only', async () => {
    const { fetch, cids } = asked(root);
    expect(await resolvePath(`/ipfs/${root.cid}/onnx/model.onnx`, [], fetch)).toBe(pbFile.cid);
    expect(cids).toEqual([root.cid, inner.cid]);
    expect(await resolvePath(root.cid, ['onnx', 'Portugal%2C+España=1'], fetch)).toBe(leaf.cid);
    expect(await resolvePath(root.cid, [], fetch)).toBe(root.cid);
  });

  it.each([256, 16, 1024])('finds every name of a HAMT with fanout %d', async (fanout) => {
    const hamt = makeHamt(big, fanout);
    for (const { name, dag } of big) expect(await resolvePath(hamt.cid, [name], fromBlocks(hamt.blocks))).toBe(dag.cid);
  });

  it('agrees with the public exporter about a HAMT, and fetches only the shards on the way', async () => {
    const hamt = makeHamt(big);
    for (const name of ['0.txt', '685.txt', '999.txt']) {
      const { fetch, cids } = asked(hamt);
      expect(await resolvePath(hamt.cid, [name], fetch)).toBe(await theirs(hamt, name));
      expect(cids.length).toBeLessThanOrEqual(3);
    }
  });

  it('takes the first of two entries with one name', async () => {
    const [first, second] = [file(), file()];
    const entries = [
      { name: 'x', dag: first },
      { name: 'x', dag: second },
    ];
    for (const dag of [makeDirectory(entries), makeHamt(entries)]) {
      expect(await resolvePath(dag.cid, ['x'], fromBlocks(dag.blocks))).toBe(first.cid);
      expect((await listFiles(dag.cid, fromBlocks(dag.blocks))).map(({ cid }) => cid)).toEqual([first.cid]);
    }
  });

  it.each([
    [['absent'], 'is-directory', /"absent" is not in the directory .* 2 entries: "onnx", "readme"/],
    [['ONNX'], 'is-directory', /"ONNX" is not in/],
    [['readme', 'more'], 'invalid-dag', /is a file, not a directory/],
    [['onnx', 'model.onnx', 'x'], 'invalid-dag', /is a file, not a directory/],
  ])('says why %j leads nowhere', async (path, kind, message) => {
    await expect(resolvePath(root.cid, path, fromBlocks(root.blocks))).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
    });
  });

  it.each([['..'], ['.'], [''], ['a/b'], ['a\0']])('refuses the name %j', async (name) => {
    await expect(resolvePath(root.cid, [name], fromBlocks(root.blocks))).rejects.toBeInstanceOf(RangeError);
  });

  it('does not follow a symbolic link, and does not fetch a HAMT for a message', async () => {
    const dir = makeDirectory([{ name: 'link', dag: symlink }]);
    await expect(resolvePath(dir.cid, ['link', 'x'], fromBlocks(dir.blocks))).rejects.toMatchObject({
      kind: 'unsupported',
    });
    const hamt = makeHamt(big);
    const { fetch, cids } = asked(hamt);
    await expect(resolvePath(hamt.cid, ['absent'], fetch)).rejects.toMatchObject({ kind: 'is-directory' });
    expect(cids.length).toBeLessThanOrEqual(3);
  });

  it('E07 asks again for a directory block that does not hash to its CID', async () => {
    const { fetch, cids } = asked(root);
    const lying: FetchBlock = async (cid, request) => {
      const block = await fetch(cid, request);
      return request.attempt === 1 ? Uint8Array.from([...block, 0]) : block;
    };
    expect(await resolvePath(root.cid, ['readme'], lying)).toBe(leaf.cid);
    expect(cids).toHaveLength(2);
  });
});

describe('listFiles', () => {
  it('lists every file below, with its CID and length', async () => {
    const raw = file(33);
    const shard = makeHamt(big.slice(0, 300));
    const root = makeDirectory([
      { name: 'a', dag: makeDirectory([{ name: 'model.onnx', dag: pbFile }]) },
      { name: 'b', dag: shard },
      { name: 'c', dag: raw },
      { name: 'empty', dag: makeDirectory([]) },
    ]);
    const files = await listFiles(root.cid, fromBlocks(root.blocks));
    expect(files).toHaveLength(302);
    expect(files[0]).toEqual({ path: 'a/model.onnx', cid: pbFile.cid, sizeBytes: 5000 });
    expect(new Set(files.slice(1, 301).map(({ path }) => path))).toEqual(
      new Set(names.slice(0, 300).map((n) => `b/${n}`)),
    );
    expect(files.at(-1)).toEqual({ path: 'c', cid: raw.cid, sizeBytes: 1 });
    expect(await listFiles(`${root.cid}/a`, fromBlocks(root.blocks))).toEqual([{ ...files[0], path: 'model.onnx' }]);
  });

  it.each(['../outside', '..', '.', 'a/b', 'nul\0', ''])('refuses a directory with an entry named %j', async (name) => {
    const dir = makeDirectory([{ name, dag: file() }]);
    await expect(listFiles(dir.cid, fromBlocks(dir.blocks))).rejects.toMatchObject({ kind: 'invalid-dag' });
  });

  it('refuses symbolic links, too many files, and directories that link each other over and over', async () => {
    const linked = makeDirectory([{ name: 'link', dag: symlink }]);
    await expect(listFiles(linked.cid, fromBlocks(linked.blocks))).rejects.toMatchObject({ kind: 'unsupported' });
    const hamt = makeHamt(big);
    await expect(listFiles(hamt.cid, fromBlocks(hamt.blocks), { maxFiles: 999 })).rejects.toThrow(
      'more than 999 files',
    );
    let bomb = makeDirectory([]);
    for (let level = 0; level < 30; level += 1)
      bomb = makeDirectory(Array.from({ length: 10 }, (_, i) => ({ name: `d${i}`, dag: bomb })));
    await expect(listFiles(bomb.cid, fromBlocks(bomb.blocks), { maxInnerBytes: 1_000_000 })).rejects.toThrow(
      'over and over',
    );
  });

  it('refuses a HAMT that breaks the rules', async () => {
    const shard = (fanout: bigint, hashType: bigint, name = '00') =>
      makeBlock(
        0x70,
        dagPb.encode({
          Data: new UnixFS({ type: 'hamt-sharded-directory', data: Buffer.of(1), fanout, hashType }).marshal(),
          Links: [{ Hash: CID.parse(pbFile.cid), Name: name, Tsize: 1 }],
        }),
      );
    const withFile = (dag: TestDag) => fromBlocks(new Map([...dag.blocks, ...pbFile.blocks]));
    for (const dag of [shard(255n, 0x22n), shard(2048n, 0x22n), shard(256n, 0x22n)])
      await expect(listFiles(dag.cid, withFile(dag))).rejects.toMatchObject({ kind: 'invalid-dag' });
    const foreign = shard(256n, 0x12n);
    await expect(listFiles(foreign.cid, withFile(foreign))).rejects.toMatchObject({ kind: 'unsupported' });
  });
});
