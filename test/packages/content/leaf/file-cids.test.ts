import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { KIB } from '#core/units';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { build, counted, expectProves, identityCid, NOBODY, RAW, PB } from '../../../helpers/dag/dag-checks.ts';
import { fromBlocks, makeBlock, makeBlocks, makeDag, makeDirectory } from '../../../helpers/dag/dag.ts';

describe('edge cases of a CID that names a file', () => {
  it('E12 takes an identity CID from itself, without a request', async () => {
    const bytes = Buffer.from('hello');
    const { table } = await buildLeafTable(identityCid(bytes), NOBODY);
    expect(table).toMatchObject({ sizeBytes: 5, count: 1 });
    expect(Buffer.from(table.known.get(0)!)).toEqual(bytes);
    expect((await buildLeafTable(identityCid(new Uint8Array(128).fill(66)), NOBODY)).table.sizeBytes).toBe(128);
    await expect(buildLeafTable(identityCid(new Uint8Array(129).fill(65)), NOBODY)).rejects.toMatchObject({
      kind: 'unsupported',
    });
  });

  it('fetches a single raw block, of unknown length, and keeps its bytes', async () => {
    const bytes = randomBytes(900);
    const dag = makeBlock(RAW, bytes);
    const { table } = await build(dag);
    expect(table).toMatchObject({ sizeBytes: 900, count: 1 });
    expect(Buffer.from(table.known.get(0)!)).toEqual(bytes);
  });

  it.each([
    ['File', new UnixFS({ type: 'file', data: Buffer.from('abc') })],
    ['Raw', new UnixFS({ type: 'raw', data: Buffer.from('abc') })],
    [
      'File with mode and mtime',
      new UnixFS({ type: 'file', data: Buffer.from('abc'), mode: 0o600, mtime: { secs: 5n, nsecs: 7 } }),
    ],
  ])('takes a single dag-pb block of type %s', async (_name, unixfs) => {
    const { table } = await build(makeBlock(PB, dagPb.encode({ Data: unixfs.marshal(), Links: [] })));
    expect(Buffer.from(table.known.get(0)!).toString()).toBe('abc');
  });

  it.each([
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH',
    'bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y',
    'bafkqaaa',
  ])('knows the empty file %s without a request', async (cid) => {
    const { table } = await buildLeafTable(cid, NOBODY);
    expect(table).toMatchObject({ sizeBytes: 0, count: 0 });
  });

  it('says that a directory is one, and how many entries it has', async () => {
    const file = makeBlock(RAW, Buffer.from('x'));
    const dag = makeDirectory([
      { name: 'a', dag: file },
      { name: 'b', dag: file },
    ]);
    await expect(build(dag)).rejects.toMatchObject({
      kind: 'is-directory',
      message: expect.stringContaining('2 entries'),
    });
  });

  it('refuses a symbolic link', async () => {
    const unixfs = new UnixFS({ type: 'symlink', data: Buffer.from('/etc/passwd') });
    await expect(build(makeBlock(PB, dagPb.encode({ Data: unixfs.marshal(), Links: [] })))).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('symbolic link'),
    });
  });

  it('E11 gives one table for a version 0 CID and its version 1 forms', async () => {
    const dag = await makeDag(randomBytes(600_000), { profile: 'unixfs-v0-2015' });
    const v0 = CID.parse(dag.cid).toV0().toString();
    expect(v0).toMatch(/^Qm/);
    const { table } = await buildLeafTable(v0, fromBlocks(dag.blocks));
    expect(table).toEqual(dag.table);
  });

  it('lists duplicate leaves at each of their offsets and fetches a shared inner node once', async () => {
    const file = new Uint8Array(64 * KIB);
    const dag = makeBlocks(file, { chunkBytes: 1 * KIB, width: 8 });
    const { fetch, asked } = counted(dag);
    const { table } = await buildLeafTable(dag.cid, fetch);
    expect(table.count).toBe(64);
    expect(asked).toHaveLength(2);
    expectProves(table, file);
  });

  it.each([
    ['blake2b-256', 0xb220],
    ['blake3', 0x1e],
    ['sha2-512', 0x13],
    ['sha3-384', 0x15],
  ])('E12 proves leaves hashed with %s', async (_name, code) => {
    const { loadHash } = await import('#content/digest/multihash');
    const { hash } = await loadHash(code);
    const file = randomBytes(20_000);
    for (const leaves of ['raw', 'pb'] as const)
      expectProves(
        (await makeDag(file, { chunkBytes: 1500, width: 5, leaves, hash: { code, digest: hash } })).table,
        file,
      );
  });
});
