import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { readTar, type TarInput } from '#content/formats/read-tar';
import { encodeTarHeader, tarPadding } from '#content/formats/tar-header';
import { randomAccessInput, streamInput } from '#content/formats/tar-input';
import { foreignTar, HOSTILE } from './tar-samples.ts';

const LIMITS = { maxEntries: 10, maxBytes: 10_000 };

const streamed = (tar: Uint8Array): TarInput =>
  streamInput(
    (async function* () {
      for (let at = 0; at < tar.length; at += 77) yield tar.subarray(at, at + 77);
    })(),
  );
const random = (tar: Uint8Array): TarInput =>
  randomAccessInput(async (position, length) => tar.subarray(position, position + length), tar.length);

async function read(input: TarInput, limits = LIMITS): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const entry of readTar(input, limits)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.chunks()) chunks.push(chunk.slice());
    files[entry.name] = Buffer.concat(chunks).toString();
  }
  return files;
}

describe.each([
  ['a stream', streamed],
  ['a file', random],
])('readTar from %s', (_what, inputOf) => {
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

  it.each(HOSTILE)('L01 refuses %s', async (_name, entries, reason) => {
    await expect(read(inputOf(await foreignTar(entries)))).rejects.toMatchObject({
      ...{ name: 'VerifyError', kind: 'wrong-format' },
      message: expect.stringContaining(reason),
    });
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

  it.each([100, 512, 600, 1000, 1024, 1535])('L03 refuses a tar cut after %d bytes', async (length) => {
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
    expect(await read(random(tar))).toEqual({ [name]: 'abc' });
  });

  it('G17 carries sizes above 8 GiB', async () => {
    const size = 20 * 2 ** 30;
    const header = encodeTarHeader('big', size);
    const entries = readTar(random(Buffer.from(header)), { maxEntries: 1, maxBytes: 2 ** 50 });
    expect((await entries.next()).value).toMatchObject({ name: 'big', sizeBytes: size, start: header.length });
  });
});
