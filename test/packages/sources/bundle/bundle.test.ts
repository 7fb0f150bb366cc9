import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ByteRange } from '#core/bytes/byte-range';
import type { ByteSink } from '#core/source';
import { BUNDLE_INDEX_NAME } from '#content/archives/bundle-index';
import { openBundle } from '#sources/bundle/bundle';
import { localBundle } from '#sources/bundle/bundle-reader';
import { verifyBundle } from '#sources/bundle/bundle-verify';
import { createBundle, type BundleModel } from '#store/models/bundle-writer';
import { DOUBLED, foreignTar, HOSTILE } from '../../content/archives/tar-samples.ts';
import { skippableFrame, zstdOf } from '../../../helpers/zstd.ts';

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const { signal } = new AbortController();
const CID = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-bundle-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const contents = [randomBytes(700_000), Buffer.alloc(0), Buffer.from('config')];

async function models(): Promise<BundleModel[]> {
  const files = [];
  for (const [index, bytes] of contents.entries()) {
    const filePath = join(folder, `file${index}`);
    await writeFile(filePath, bytes);
    files.push({ sha256: sha256Of(bytes), sizeBytes: bytes.length, filePath, ...(index === 0 ? { cid: CID } : {}) });
  }
  return [
    { manifest: { name: 'b', version: '1' }, files },
    { manifest: { name: 'a', version: '2' }, files: files.slice(0, 1) },
  ];
}

const specOf = (bytes: Uint8Array) => ({ path: 'x', digests: { sha256: sha256Of(bytes) } });

function collector(): ByteSink & { bytes(): Buffer; heads: object[] } {
  const chunks: Buffer[] = [];
  const heads: object[] = [];
  return {
    heads,
    head: (head) => void heads.push(head),
    write: (chunk) => void chunks.push(Buffer.from(chunk)),
    bytes: () => Buffer.concat(chunks),
  };
}

async function readMember(path: string, bytes: Uint8Array, range?: ByteRange): Promise<Buffer> {
  const sink = collector();
  const bundle = await openBundle(localBundle(path), signal);
  await bundle.source(specOf(bytes)).read({ range, sizeBytes: bytes.length }, sink, signal);
  return sink.bytes();
}

describe('createBundle', () => {
  it('CH5 gives the same bytes for the same models, index first, every content once', async () => {
    const [first, second] = [join(folder, 'one.tar'), join(folder, 'two.tar')];
    await createBundle(await models(), first);
    await createBundle((await models()).reverse(), second);
    expect(sha256Of(await readFile(first))).toBe(sha256Of(await readFile(second)));
    expect((await readFile(first)).subarray(0, BUNDLE_INDEX_NAME.length).toString()).toBe(BUNDLE_INDEX_NAME);
    const bundle = await openBundle(localBundle(first), signal);
    expect(bundle.manifests).toEqual([
      { name: 'a', version: '2' },
      { name: 'b', version: '1' },
    ]);
    expect(bundle.members).toHaveLength(3);
  });

  it('CH5 leaves nothing behind when a file is not what its digest says', async () => {
    const [model] = await models();
    await writeFile(join(folder, 'file0'), randomBytes(700_000));
    await expect(createBundle([model!], join(folder, 'out.tar'))).rejects.toMatchObject({ kind: 'wrong-digest' });
    expect((await readdir(folder)).filter((name) => name.includes('out'))).toEqual([]);
  });
});

describe('a bundle as a source', () => {
  it('CH5 serves members of a plain tar by range', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    const bundle = await openBundle(localBundle(path), signal);
    const source = bundle.source(specOf(contents[0]!));
    expect(source).toMatchObject({ kind: 'bundle', layer: 'bundled' });
    expect(source.capabilities().range).toBe(true);
    for (const bytes of contents) expect(sha256Of(await readMember(path, bytes))).toBe(sha256Of(bytes));
    const part = await readMember(path, contents[0]!, { start: 1000, end: 600_001 });
    expect(part.equals(contents[0]!.subarray(1000, 600_001))).toBe(true);
  });

  it('CH5 reads only the asked range of the bundle, so a remote one is not fetched whole', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    const inner = localBundle(path);
    let read = 0;
    const bundle = await openBundle(
      {
        ...inner,
        async *stream(range, stop) {
          for await (const chunk of inner.stream(range, stop)) {
            read += chunk.length;
            yield chunk;
          }
        },
      },
      signal,
    );
    await bundle.source(specOf(contents[0]!)).read({ range: { start: 5, end: 15 } }, collector(), signal);
    expect(read).toBeLessThan(10_000);
  });

  it('CH5 reads members of a compressed bundle from its beginning', async () => {
    const path = join(folder, 'm.tar.gz');
    await createBundle(await models(), path, { compression: 'gzip' });
    for (const bytes of contents) expect(sha256Of(await readMember(path, bytes))).toBe(sha256Of(bytes));
    const part = await readMember(path, contents[0]!, { start: 400_000, end: 400_010 });
    expect(part.equals(contents[0]!.subarray(400_000, 400_010))).toBe(true);
    const bundle = await openBundle(localBundle(path), signal);
    expect(bundle.source(specOf(contents[0]!)).capabilities().range).toBe(false);
  });

  it.each([
    ['zstd', zstdOf],
    [
      'a program that writes a skippable frame first, as pzstd does',
      (bytes: Buffer) => [skippableFrame(Buffer.alloc(4)), zstdOf(bytes)],
    ],
  ])('CH5 reads members of a bundle that was compressed by %s', async (_by, compress) => {
    const plain = join(folder, 'm.tar');
    await createBundle(await models(), plain);
    const path = join(folder, 'm.tar.zst');
    await writeFile(path, Buffer.concat([compress(await readFile(plain))].flat()));
    for (const bytes of contents) expect(sha256Of(await readMember(path, bytes))).toBe(sha256Of(bytes));
    await expect(verifyBundle(path)).resolves.toMatchObject({ problems: [] });
  });

  it('finds a member by its CID in another spelling', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    const bundle = await openBundle(localBundle(path), signal);
    expect(bundle.has({ path: 'x', digests: {}, cid: `ipfs://${CID}` })).toBe(true);
    expect(bundle.has({ path: 'x', digests: {}, cid: 'nope' })).toBe(false);
  });

  it('L09 says missing for a file of a newer manifest', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    await expect(readMember(path, randomBytes(10))).rejects.toMatchObject({ name: 'SourceError', kind: 'missing' });
  });

  it('says size-mismatch when the manifest expects another size', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    const source = (await openBundle(localBundle(path), signal)).source(specOf(contents[0]!));
    await expect(source.read({ sizeBytes: 5 }, collector(), signal)).rejects.toMatchObject({ kind: 'size-mismatch' });
  });

  it('L10 reads a bundle in a read-only folder and writes nothing beside it', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    await chmod(path, 0o444);
    await chmod(folder, 0o555);
    const before = await readdir(folder);
    expect((await verifyBundle(path)).problems).toEqual([]);
    expect(await readdir(folder)).toEqual(before);
    await chmod(folder, 0o755);
  });

  it('says missing when there is no bundle', async () => {
    await expect(openBundle(localBundle(join(folder, 'none.tar')), signal)).rejects.toMatchObject({ kind: 'missing' });
  });

  const index = (members: object[]): { name: string; text: string } => ({
    name: BUNDLE_INDEX_NAME,
    text: JSON.stringify({ schema: 'haulier.bundle/v1', manifests: [], members }),
  });

  it.each([...HOSTILE, ...DOUBLED])('L01 refuses a bundle with %s', async (_name, entries, reason) => {
    for (const pack of [(tar: Buffer) => tar, gzipSync]) {
      const path = join(folder, 'evil.tar');
      await writeFile(path, pack(await foreignTar([index([]), ...entries])));
      await expect(verifyBundle(path)).rejects.toMatchObject({
        ...{ name: 'SourceError', kind: 'bad-response' },
        message: expect.stringContaining(reason),
      });
    }
  });

  const member = { name: 'x', sha256: '0'.repeat(64), sizeBytes: 1 };
  it.each([
    ['no index', [{ name: 'x', text: 'x' }], 'must be its first entry'],
    ['no JSON', [{ name: BUNDLE_INDEX_NAME, text: '{' }], 'not JSON'],
    [
      'a newer schema',
      [{ name: BUNDLE_INDEX_NAME, text: '{"schema":"haulier.bundle/v2"}' }],
      'reads haulier.bundle/v1',
    ],
    ['a member upwards', [index([{ ...member, name: '../x' }])], '".."'],
    ['a member twice', [index([member, member])], 'listed twice'],
    ['a bad digest', [index([{ ...member, sha256: 'ABC' }])], 'hexadecimal'],
    ['a bad size', [index([{ ...member, sizeBytes: -1 }])], 'sizeBytes'],
    ['a member that is not there', [index([member])], 'and has none'],
    ['another size than listed', [index([member]), { name: 'x', text: 'long' }], 'and has 4'],
  ])('L01 refuses a bundle with %s', async (_name, entries, reason) => {
    const path = join(folder, 'bad.tar');
    await writeFile(path, await foreignTar(entries));
    await expect(openBundle(localBundle(path), signal)).rejects.toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining(reason),
    });
  });

  it.each(['m.tar', 'm.tar.gz'])('L03 refuses %s when it is truncated', async (name) => {
    const path = join(folder, name);
    await createBundle(await models(), path, name.endsWith('gz') ? { compression: 'gzip' } : {});
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, whole.length - 5000));
    await expect(verifyBundle(path)).rejects.toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('truncated'),
    });
  });

  it('L01 stops a bomb', async () => {
    const path = join(folder, 'bomb.tar.gz');
    await writeFile(path, gzipSync(await foreignTar([index([]), { name: 'zeros', text: '\0'.repeat(40_000_000) }])));
    await expect(verifyBundle(path, { limits: { maxEntries: 10, maxBytes: 1e9, maxRatio: 100 } })).rejects.toThrow(
      '100 times its size',
    );
  });
});

describe('verifyBundle', () => {
  it('CH5 finds a flipped byte and an entry that the index does not name', async () => {
    const path = join(folder, 'm.tar');
    await createBundle(await models(), path);
    expect(await verifyBundle(path)).toMatchObject({ memberCount: 3, checkedBytes: 700_006, problems: [] });
    const bytes = await readFile(path);
    bytes[bytes.length - 300_000]! ^= 1;
    await writeFile(path, bytes);
    expect((await verifyBundle(path)).problems).toEqual([expect.stringContaining(`not ${sha256Of(contents[0]!)}`)]);
    const extra = { name: BUNDLE_INDEX_NAME, text: '{"schema":"haulier.bundle/v1","manifests":[],"members":[]}' };
    await writeFile(path, await foreignTar([extra, { name: 'more', text: 'x' }]));
    expect((await verifyBundle(path)).problems).toEqual(['more is in the bundle and not in its index']);
  });
});
