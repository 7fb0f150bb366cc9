import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { readTar } from '#content/archives/read-tar';
import { encodeTarHeader, tarPadding } from '#content/archives/tar-header';
import {
  foreignTar,
  HOSTILE,
  INPUTS,
  paxHeader,
  randomAccess,
  rawTar,
  readFiles as read,
  SMALL_LIMITS,
  sumUp,
  type RawEntry,
} from './tar-samples.ts';

describe.each(INPUTS)('readTar from %s', (_what, inputOf) => {
  it('reads regular files under short, long and non-ASCII names, and passes over folders', async () => {
    const long = `${'folder/'.repeat(30)}model.bin`;
    const tar = await foreignTar([
      { name: 'dir/', type: 'directory' },
      { name: './dir/a', text: 'A' },
      { name: long, text: 'L'.repeat(1500) },
      { name: 'über.bin', text: '' },
    ]);
    expect(await read(inputOf(tar))).toEqual({ 'dir/a': 'A', [long]: 'L'.repeat(1500), 'über.bin': '' });
  });

  it.each(HOSTILE)('L01 L22 does not take %s, and says why', async (_name, entries, reason) => {
    const reasons: string[] = [];
    const tar = await foreignTar([{ name: 'ok', text: 'ok' }, ...entries, { name: 'last', text: 'last' }]);
    const onSkipped = (entry: { reason: string }): void => void reasons.push(entry.reason);
    expect(await read(inputOf(tar), { onSkipped })).toEqual({ ok: 'ok', last: 'last' });
    expect(reasons).toEqual([expect.stringContaining(reason)]);
  });

  it('gives every entry of one name', async () => {
    const tar = await foreignTar([
      { name: 'a', text: '1' },
      { name: './a', text: '2' },
    ]);
    const seen: string[] = [];
    for await (const entry of readTar(inputOf(tar), SMALL_LIMITS)) seen.push(entry.name);
    expect(seen).toEqual(['a', 'a']);
  });

  const A: RawEntry = { name: 'a', content: Buffer.from('A') };
  const B: RawEntry = { name: 'b', content: Buffer.from('B') };
  const end = Buffer.alloc(1024);

  it.each<[string, Buffer, Record<string, string>]>([
    ['names with "." segments and doubled slashes', rawTar({ ...A, name: './m/.//./a' }), { 'm/a': 'A' }],
    ['folders of v7, which are files whose name ends in "/"', rawTar({ name: 'm/', type: '\0' }, A), { a: 'A' }],
    ['a folder with a size', rawTar({ name: 'm', type: '5', fields: { 124: '00000001000\0' } }, A), { a: 'A' }],
    ['a volume label', rawTar({ name: 'label', type: 'V' }, A), { a: 'A' }],
    [
      'a listing of an incremental dump',
      rawTar({ name: 'm', type: 'D', content: Buffer.from('Ya\0\0') }, A),
      { a: 'A' },
    ],
    [
      'a link with the size of its file',
      rawTar({ name: 'l', type: '1', fields: { 124: '00000001000\0' } }, A),
      { a: 'A' },
    ],
    ['a global pax header', rawTar({ ...paxHeader({ comment: 'x' }), type: 'g' }, A), { a: 'A' }],
    ['binary pax values', rawTar(paxHeader({ 'SCHILY.xattr.user.h': '\xde\xad=\n\xff', path: 'p' }), A), { p: 'A' }],
    [
      'a pax header filled up with zeros',
      rawTar(
        { ...paxHeader({ path: 'p' }), content: Buffer.concat([paxHeader({ path: 'p' }).content!, Buffer.alloc(20)]) },
        A,
      ),
      { p: 'A' },
    ],
    [
      'a GNU long link name in front of a file',
      rawTar({ name: 'k', type: 'K', content: Buffer.from('target\0') }, A),
      { a: 'A' },
    ],
    [
      'a contiguous file, and a type of a newer program',
      rawTar({ ...A, type: '7' }, { ...B, type: 'Z' }),
      { a: 'A', b: 'B' },
    ],
    ['a size in base 256', rawTar({ ...A, fields: { 124: `\x80${'\0'.repeat(10)}\x01` } }), { a: 'A' }],
    ['no end mark', rawTar(A), { a: 'A' }],
    ['one zero block at the end', Buffer.concat([rawTar(A), Buffer.alloc(512)]), { a: 'A' }],
    ['no padding at the end', rawTar({ ...A, padded: false }), { a: 'A' }],
    ['anything behind the end mark', Buffer.concat([rawTar(A), end, Buffer.from('garbage'.repeat(200))]), { a: 'A' }],
    ['one archive behind another', Buffer.concat([rawTar(A), end, rawTar(B), end]), { a: 'A', b: 'B' }],
  ])('L22 takes %s', async (_what, tar, files) => {
    expect(await read(inputOf(tar), { readsOn: true })).toEqual(files);
  });

  it('takes a checksum over signed bytes', async () => {
    const tar = rawTar({ ...A, name: 'ü' });
    tar.write('ü', 0, 'utf8');
    sumUp(tar, true);
    expect(await read(inputOf(tar))).toEqual({ ü: 'A' });
  });

  it('ends at the end mark where another archive is not looked for', async () => {
    expect(await read(inputOf(Buffer.concat([rawTar(A), end, rawTar(B), end])))).toEqual({ a: 'A' });
  });

  it.each([
    ['xz', '\xfd7zXZ\0'],
    ['bzip2', 'BZh91AY'],
    ['lz4', '\x04\x22\x4d\x18'],
    ['zip', 'PK\x03\x04'],
    ['gzip', '\x1f\x8b\x08'],
    ['zstd', '\x28\xb5\x2f\xfd'],
    ['7z', '7z\xbc\xaf\x27\x1c'],
    ['ar archive', '!<arch>\n'],
    ['cpio', '070701'],
    ['HTML', '<!doctype html>'],
  ])('L25 names %s that is declared as tar', async (name, bytes) => {
    for (const length of [20, 2000])
      await expect(read(inputOf(Buffer.from(bytes.padEnd(length, 'x'), 'latin1')))).rejects.toThrow(`no tar: it is`);
    await expect(read(inputOf(Buffer.from(bytes.padEnd(600, 'x'), 'latin1')))).rejects.toThrow(name);
  });

  it('L01 refuses too many entries and too many bytes', async () => {
    const many = await foreignTar(Array.from({ length: 11 }, (_, index) => ({ name: `f${index}`, text: 'x' })));
    await expect(read(inputOf(many))).rejects.toThrow('more than 10 entries');
    const folders = await foreignTar(
      Array.from({ length: 12 }, (_, i) => ({ name: `d${i}/`, type: 'directory' as const })),
    );
    await expect(read(inputOf(folders))).rejects.toThrow('more than 10 entries');
    const large = await foreignTar([{ name: 'a', text: 'x'.repeat(10_001) }]);
    await expect(read(inputOf(large))).rejects.toThrow('more than 10000 bytes');
  });

  it.each([100, 511, 513, 600, 1000, 1111])('L03 refuses a tar cut after %d bytes', async (length) => {
    const tar = await foreignTar([{ name: 'a', text: 'x'.repeat(600) }]);
    await expect(read(inputOf(tar.subarray(0, length)))).rejects.toThrow('truncated');
  });

  it('refuses a header that was damaged', async () => {
    const tar = await foreignTar([{ name: 'a', text: 'x' }]);
    tar[0]! ^= 1;
    await expect(read(inputOf(tar))).rejects.toThrow('checksum is wrong');
  });
});

describe('encodeTarHeader', () => {
  it('is read by other programs, long names and sizes included', async () => {
    const name = `${'d/'.repeat(70)}ü.bin`;
    const tar = Buffer.concat([
      encodeTarHeader(name, 3),
      Buffer.from('abc'),
      Buffer.alloc(tarPadding(3)),
      Buffer.alloc(1024),
    ]);
    const seen: string[] = [];
    for await (const entry of Readable.from([tar]).pipe(extract())) {
      seen.push(`${entry.header.name} ${entry.header.size} ${entry.header.mtime?.getTime()}`);
      entry.resume();
    }
    expect(seen).toEqual([`${name} 3 0`]);
    expect(await read(randomAccess(tar))).toEqual({ [name]: 'abc' });
  });

  it('G17 carries sizes above 8 GiB', async () => {
    const size = 20 * 2 ** 30;
    const header = encodeTarHeader('big', size);
    const entries = readTar(randomAccess(Buffer.from(header)), { maxEntries: 1, maxBytes: 2 ** 50 });
    expect((await entries.next()).value).toMatchObject({ name: 'big', sizeBytes: size, start: header.length });
  });
});
