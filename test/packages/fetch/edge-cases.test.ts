import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { bases } from 'multiformats/basics';
import { CID } from 'multiformats/cid';
import { download } from '#fetch/download';
import { draftFromIpfs } from '#ingest/draft-from-ipfs';
import { encodeManifestBlock, fetchManifest } from '#content/dag/manifest-block';
import { loadHash } from '#content/digest/multihash';
import { KIB, MIB } from '#core/units';
import { toV0 } from '../../helpers/dag/cid-forms.ts';
import { fileNode, identityCid, PB, RAW } from '../../helpers/dag/dag-checks.ts';
import {
  fromBlocks,
  makeBlock,
  makeBlocks,
  makeDirectory,
  type DagLayout,
  type TestDag,
} from '../../helpers/dag/dag.ts';
import { makeHamt } from '../../helpers/dag/hamt.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { fileOf, obtaining, type ObtainRun, type TestFile } from '../../helpers/obtaining.ts';
import type { Origin } from '../../helpers/origin/origin.ts';
import { bytesOf, sha256Of } from '../../helpers/transfer-kit.ts';

/** The rows of the edge-case table of docs/rules/ipfs.md that are about content; those about gateways are in edge-gateways.test.ts. */
expectNoLeaks();
const bench = obtaining();
const never = new AbortController().signal;

/** Gets a file by CID alone. */
async function byCid(file: TestFile, cid = file.cid): Promise<ObtainRun & { readonly origin: Origin }> {
  const origin = await bench.origin(file.served);
  const run = await bench.obtain({ file, gateways: [origin], identity: { cid, digests: {}, sizeBytes: undefined } });
  return { ...run, origin };
}

/** Tries to get a DAG that is no file; two gateways have its blocks. */
async function refusal(dag: TestDag): Promise<{ error: unknown; requests: number }> {
  const file = { ...(await fileOf(bytesOf(10))), cid: dag.cid };
  const origins = [await bench.origin({ blocks: dag.blocks }), await bench.origin({ blocks: dag.blocks })];
  const { error } = await bench.obtain({ file, gateways: origins, identity: { digests: {}, sizeBytes: undefined } });
  expect(existsSync(bench.partialPath)).toBe(false);
  return { error, requests: origins[0]!.requests.length + origins[1]!.requests.length };
}

const joined = (...dags: TestDag[]): Map<string, Uint8Array> => new Map(dags.flatMap(({ blocks }) => [...blocks]));
const leaf = makeBlock(RAW, Buffer.from('x'));

describe('what a CID may name', () => {
  it('EC1 an identity CID gives its bytes without a request, up to 128', async () => {
    const { result, origin } = await byCid(await fileOf(Buffer.from('hello'), { leaves: 'identity' }));
    expect(result).toMatchObject({ sizeBytes: 5, verified: 'leaves' });
    expect(result!.digests.sha256).toBe(sha256Of(Buffer.from('hello')));
    expect(origin.requests).toEqual([]);
    const accepted = identityCid(Buffer.alloc(128, 'B'));
    const held = await fileOf(Buffer.alloc(128, 'B'), { leaves: 'identity', chunkBytes: 128 });
    expect(held.cid).toBe(accepted);
    expect((await byCid(held)).result).toMatchObject({ sizeBytes: 128 });
    const refused = await byCid(held, identityCid(Buffer.alloc(129, 'A')));
    expect(refused.error).toMatchObject({ kind: 'unsupported' });
    expect(refused.origin.requests).toEqual([]);
    const inner = await byCid(await fileOf(bytesOf(5000), { leaves: 'identity', chunkBytes: 128 }));
    expect(inner.result).toMatchObject({ sizeBytes: 5000, verified: 'leaves' });
  });

  it('EC2 a single raw block is fetched once and is the file', async () => {
    const { result, origin } = await byCid(await fileOf(bytesOf(200 * KIB), { chunkBytes: MIB }));
    expect(result).toMatchObject({ sizeBytes: 200 * KIB, verified: 'leaves' });
    expect(origin.requests).toHaveLength(1);
  });

  it.each(['pb', 'pbRaw', 'pbMtime'] as const)('EC3 a single dag-pb block (%s) is its UnixFS data', async (leaves) => {
    const { result, origin } = await byCid(await fileOf(bytesOf(100 * KIB), { leaves }));
    expect(result).toMatchObject({ sizeBytes: 100 * KIB, verified: 'leaves' });
    expect(origin.requests).toHaveLength(1);
  });

  it.each([
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH',
    'bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y',
    'bafkqaaa',
  ])('EC4 an empty file is an empty file: %s', async (cid) => {
    const { result } = await byCid(await fileOf(Buffer.alloc(0)), cid);
    expect(result).toMatchObject({ sizeBytes: 0, verified: 'leaves' });
  });

  it('EC5 a directory is none, and says how many entries it has', async () => {
    const entries = Array.from({ length: 300 }, (_, i) => ({ name: `${i}`, dag: leaf }));
    const basic = await refusal(makeDirectory(entries));
    expect(basic.error).toMatchObject({ kind: 'is-directory', message: expect.stringContaining('300 entries') });
    const sharded = await refusal(makeHamt(entries));
    expect(sharded.error).toMatchObject({ kind: 'is-directory', message: expect.stringContaining('at least ') });
  });

  it('EC6 a path is resolved to the CID of the file first, then everything goes by that', async () => {
    const file = await fileOf(bytesOf(MIB));
    const name = 'Portugal%2C+España=1';
    const folder = makeDirectory([{ name: 'onnx', dag: { cid: file.cid, blocks: file.served.blocks! } }]);
    const others = Array.from({ length: 300 }, (_, i) => ({ name: `${i}`, dag: leaf }));
    const root = makeHamt([...others, { name, dag: folder }]);
    const origin = await bench.origin({ ...file.served, blocks: root.blocks });
    const get = (path: string) =>
      download({ from: `/ipfs/${root.cid}/${path}`, to: `${bench.folder}/out`, gateways: [origin.url] });
    expect(await get(`${name}/onnx`)).toMatchObject({ cid: file.cid, sha256: file.sha256, verified: true });
    const paths = origin.requests.map(({ path }) => path);
    expect(paths.filter((path) => !path.includes('format=raw'))).toEqual([`/ipfs/${file.cid}`]);
    expect(paths.filter((path) => !/^\/ipfs\/baf[a-z2-7]+(\?format=raw)?$/.test(path))).toEqual([]);
    await expect(get('Portugal, España=1/onnx')).rejects.toThrow('"Portugal, España=1" is not in the directory');
  });

  it('EC7 a whole folder is listed, and refused when a name would leave it or is a link', async () => {
    const file = makeBlocks(bytesOf(5000), { chunkBytes: 1000 });
    const list = (dag: TestDag) =>
      draftFromIpfs(dag.cid, { fetchBlock: fromBlocks(dag.blocks), isWanted: () => true, signal: never });
    const shards = makeHamt(Array.from({ length: 300 }, (_, i) => ({ name: `${i}.txt`, dag: leaf })));
    const root = makeDirectory([
      { name: 'a', dag: makeDirectory([{ name: 'model.onnx', dag: file }]) },
      { name: 'b', dag: shards },
    ]);
    const { files } = await list(root);
    expect(files).toHaveLength(301);
    expect(files[0]).toMatchObject({ path: 'a/model.onnx', cid: file.cid, sizeBytes: 5000 });
    for (const name of ['../outside', '..', '.', 'a/b', 'nul\0'])
      for (const folder of [makeDirectory([{ name, dag: file }]), makeHamt([{ name, dag: file }])])
        await expect(list(folder)).rejects.toMatchObject({ kind: 'invalid-dag' });
    const unixfs = new UnixFS({ type: 'symlink', data: Buffer.from('/etc/passwd') });
    const link = makeBlock(PB, dagPb.encode({ Data: unixfs.marshal(), Links: [] }));
    await expect(list(makeDirectory([{ name: 'x', dag: link }]))).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('EC8 a version 0 CID is asked for as version 1 in base32', async () => {
    const file = await fileOf(bytesOf(MIB), { profile: 'unixfs-v0-2015' });
    const { result, origin } = await byCid(file, toV0(file.cid));
    expect(result).toMatchObject({ sizeBytes: MIB, verified: 'leaves', cid: file.cid });
    expect(new Set(origin.requests.map(({ path }) => path))).toEqual(
      new Set([`/ipfs/${file.cid}?format=raw`, `/ipfs/${file.cid}`]),
    );
  });

  it('EC9 a CID in any base, or in capitals, is the same CID', async () => {
    const file = await fileOf(bytesOf(600 * KIB));
    const cid = CID.parse(file.cid);
    const texts = Object.entries(bases).flatMap(([name, base]) =>
      name === 'identity' ? [] : [base.encode(cid.bytes)],
    );
    expect(texts.length).toBeGreaterThan(20);
    const origin = await bench.origin(file.served);
    for (const [index, text] of [file.cid.toUpperCase(), ...texts].entries()) {
      const from = index % 2 === 0 ? text : `ipfs://${encodeURIComponent(text)}`;
      const path = `${bench.folder}/${index}`;
      if (index % 2 === 1 && /[/+=]|[^ -~]/.test(text)) continue; // a host of a URL has no such letters
      expect(await download({ from, to: path, gateways: [origin.url] })).toMatchObject({ cid: file.cid });
    }
    expect(new Set(origin.requests.map(({ path }) => path.split('?')[0]))).toEqual(new Set([`/ipfs/${file.cid}`]));
  });

  it.each<[string, DagLayout]>([
    ['trickle', { chunkBytes: 100 * KIB, width: 3, layout: 'trickle', leaves: 'pbRaw' }],
    ['leaves at several depths', { chunkBytes: 70 * KIB, width: 2, layout: 'trickle' }],
    ['variable leaf lengths', { chunkBytes: [64 * KIB, 30_001, 200 * KIB, 7003], width: 8, leaves: 'pb' }],
    ['Data before Links (IPIP-550)', { chunkBytes: 100 * KIB, width: 3, leaves: 'pb', dataFirst: true }],
  ])('EC10 the block sizes alone say where a leaf is: %s', async (_, layout) => {
    expect((await byCid(await fileOf(bytesOf(MIB + 77), layout))).result).toMatchObject({ verified: 'leaves' });
  });

  it('EC11 bytes that an inner node carries are not fetched again', async () => {
    const file = await fileOf(bytesOf(100 * KIB), { chunkBytes: 9 * KIB, width: 4, inlineBytes: 1000 });
    const { result } = await byCid(file);
    expect(file.table.known.size).toBeGreaterThan(3);
    const carried = [...file.table.known.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    expect(result).toMatchObject({ verified: 'leaves', wastedBytes: 0 });
    const fetched = result!.tries.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(fetched).toBe(100 * KIB - carried);
    expect(result!.sources[0]!.bytes).toBe(100 * KIB);
    const again = await byCid(file);
    expect(again.result).toMatchObject({ resumedBytes: 100 * KIB, sources: [expect.objectContaining({ bytes: 0 })] });
  });

  it('EC12 leaves that repeat are one digest at many places; a shared node is fetched once', async () => {
    const file = await fileOf(Buffer.alloc(3 * MIB), { chunkBytes: 32 * KIB, width: 8 });
    const { result, origin } = await byCid(file);
    const innerNodes = file.served.blocks!.size - 1;
    expect([file.table.count, innerNodes]).toEqual([96, 4]);
    expect(result).toMatchObject({ verified: 'leaves', wastedBytes: 0, badLeaves: 0 });
    expect(origin.requests.filter(({ path }) => path.includes('format=raw'))).toHaveLength(innerNodes);
  });

  it('EC13 a leaf over 2 MiB is refused, and an endless block is cut off', async () => {
    const long = makeBlock(PB, fileNode([BigInt(3 * MIB)], [{ cid: leaf.cid, tsize: 3 * MIB }]));
    const { error } = await refusal(long);
    expect(error).toMatchObject({ kind: 'unsupported', message: expect.stringContaining('maxBlockBytes') });
    const block = await fileOf(bytesOf(200 * KIB));
    const origin = await bench.origin(block.served, [], { rules: [{ fault: { do: 'endless' } }] });
    const run = await bench.obtain({
      file: block,
      gateways: [origin],
      identity: { digests: {}, sizeBytes: undefined },
    });
    expect(run.error).toMatchObject({ name: 'ExhaustedError' });
    for (const { bytesSent } of origin.requests) expect(bytesSent).toBeLessThan(16 * MIB);
  });

  it.each([
    ['blake3', 0x1e],
    ['blake2b-256', 0xb220],
    ['blake2b-512', 0xb240],
    ['sha2-384', 0x20],
    ['sha3-256', 0x16],
  ])('EC14 leaves and nodes hashed with %s are proven', async (_, code) => {
    const hash = { code, digest: (await loadHash(code)).hash };
    for (const leaves of ['raw', 'pb'] as const) {
      const file = await fileOf(bytesOf(MIB), { chunkBytes: 100 * KIB, width: 4, leaves, hash });
      expect((await byCid(file)).result).toMatchObject({ verified: 'leaves', badLeaves: 0 });
    }
  });

  it.each([
    ['a sum that is not the file size', Buffer.from([8, 2, 0x18, 99, 0x20, 1])],
    ['a negative size', Buffer.from([8, 2, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a size beyond 2^53', Buffer.from([8, 2, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['more sizes than links', Buffer.from([8, 2, 0x20, 1, 0x20, 1])],
  ])('EC22 a DAG with wrong sizes is a permanent failure, and no other source is asked: %s', async (_, Data) => {
    const links = [{ Hash: CID.parse(leaf.cid), Name: '', Tsize: 1 }];
    const { error, requests } = await refusal(makeBlock(PB, dagPb.encode({ Data, Links: links })));
    expect(error).toMatchObject({ kind: 'invalid-dag' });
    expect(requests).toBe(1);
  });

  it('EC23 a bomb is refused before a byte is reserved for it: as wide, as deep, or as long as it likes', async () => {
    const wide = (child: TestDag, bytes: bigint, count = 5000): TestDag => {
      const links = Array.from({ length: count }, () => ({ cid: child.cid, tsize: Number(bytes) + 1000 }));
      const node = makeBlock(PB, fileNode(Array<bigint>(count).fill(bytes), links));
      return { cid: node.cid, blocks: joined(child, node) };
    };
    const inline = { cid: identityCid(Buffer.from('x')), blocks: new Map<string, Uint8Array>() };
    const carried = wide(inline, 1n, 20_000);
    const cases: [TestDag, RegExp][] = [
      [wide(wide(wide(leaf, 1n), 5000n), 25_000_000n), /leaves, over the limit of 4194304/],
      [wide(carried, 20_000n, 10), /carries 200000 pieces of the file itself, over the limit of 65536/],
      [
        wide(makeBlock(PB, fileNode([2n ** 40n], [{ cid: leaf.cid, tsize: 1 }])), 2n ** 40n, 1025),
        /over the limit of|2 MiB|longer/,
      ],
    ];
    let deep: TestDag = makeBlock(PB, fileNode([1n], [{ cid: leaf.cid, tsize: 1 }]));
    for (let level = 0; level < 9; level += 1) {
      const node = makeBlock(PB, fileNode([1n], [{ cid: deep.cid, tsize: 5000 }]));
      deep = { cid: node.cid, blocks: joined(deep, node) };
    }
    cases.push([deep, /deeper than 8 levels/]);
    for (const [dag, message] of cases)
      expect((await refusal(dag)).error).toMatchObject({
        name: 'VerifyError',
        message: expect.stringMatching(message),
      });
  });

  it('EC25 a manifest over 2 MiB is neither made nor read', async () => {
    const manifest = { text: 'x'.repeat(2 * MIB) };
    expect(() => encodeManifestBlock(manifest)).toThrow(/at most 2097152, split it/);
    const block = Buffer.from(JSON.stringify(manifest));
    const digest = CID.parse(makeBlock(RAW, block).cid).multihash;
    const cid = CID.create(1, 0x0129, digest).toString();
    await expect(fetchManifest(cid, () => Promise.resolve(block), never)).rejects.toMatchObject({
      name: 'VerifyError',
    });
  });
});
