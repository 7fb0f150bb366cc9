import { describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { decompress, DECOMPRESS_LIMITS, type Compression } from '#content/archives/decompress';
import { decodeInWasm } from '#content/archives/zstd-wasm';
import { cutAtFrames } from '#content/archives/zstd-frames';
import { emptyFrame, skippableFrame, ZSTD_LONG_27, ZSTD_LONG_27_TEXT, zstdOf } from '../../../helpers/zstd.ts';

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk.slice());
  return Buffer.concat(chunks).toString('latin1');
}

const unpacked = (bytes: Uint8Array, compression: Compression, pieceBytes = 1_000_000): Promise<string> =>
  textOf(decompress(inPieces(bytes, pieceBytes), compression));

const hello = zstdOf(Buffer.from('hello'));
const empty = zstdOf(Buffer.alloc(0));
const index = skippableFrame(Buffer.from('seek table'));

describe.each([
  ['by what this Node has', (bytes: Uint8Array, size: number) => unpacked(bytes, 'zstd', size)],
  [
    'in WebAssembly',
    (bytes: Uint8Array, size: number) => textOf(decodeInWasm(cutAtFrames(inPieces(bytes, size)), 100)),
  ],
])('zstd decoded %s', (_how, read) => {
  it.each([
    ['one frame', [hello], 'hello'],
    ['two frames', [hello, hello], 'hellohello'],
    ['empty frames around it', [empty, hello, empty, empty], 'hello'],
    ['a skippable frame first', [index, hello], 'hello'],
    ['a seek table last', [hello, hello, index], 'hellohello'],
    ['nothing but a skippable frame', [index], ''],
    ['an empty skippable frame', [skippableFrame(Buffer.alloc(0)), hello], 'hello'],
    [
      'compressed blocks with a checksum, between raw ones',
      [hello, ZSTD_LONG_27, hello],
      `hello${ZSTD_LONG_27_TEXT}hello`,
    ],
  ])('L20 gives all of %s, wherever the pieces are cut', async (_what, frames, text) => {
    for (const pieceBytes of [1, 2, 3, 7, 1_000_000]) expect(await read(Buffer.concat(frames), pieceBytes)).toBe(text);
  });

  it('L03 refuses every cut that is not between two frames', async () => {
    const whole = Buffer.concat([hello, index, ZSTD_LONG_27, hello]);
    const passing: number[] = [];
    for (let length = 0; length <= whole.length; length += 1)
      await read(whole.subarray(0, length), 1_000_000).then(
        () => passing.push(length),
        () => undefined,
      );
    const borders = [hello, index, ZSTD_LONG_27, hello].map((_, count, frames) =>
      frames.slice(0, count + 1).reduce((sum, frame) => sum + frame.length, 0),
    );
    expect(passing).toEqual(borders);
  });

  it('L03 refuses a checksum that is wrong', async () => {
    const damaged = Buffer.from(ZSTD_LONG_27);
    damaged[damaged.length - 1]! ^= 1;
    await expect(read(damaged, 1_000_000)).rejects.toThrow('checksum');
  });

  it.each([
    ['a window over the limit of 128 MiB', emptyFrame(0x00, 0x89), 'a window of 150994944 bytes; at most 134217728'],
    ['a window of 1 GiB', emptyFrame(0x00, 20 << 3), 'needs a window of 1073741824 bytes'],
    ['a single segment of 200 MB', emptyFrame(0xa0, ...[0x00, 0xc2, 0xeb, 0x0b]), 'a window of 200000000 bytes'],
    ['a dictionary', emptyFrame(0x01, 7 << 3, 77), 'needs the dictionary 77'],
    ['a reserved bit', emptyFrame(0x08, 7 << 3), 'reserved bit'],
    ['a frame of zstd 0.7', Buffer.from([0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]), 'zstd of before version 0.8'],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4]), '(xz), which no zstd frame does'],
    ['bytes behind the last frame', Buffer.concat([hello, Buffer.from('tail')]), 'trailing bytes behind frame 1'],
    ['nothing at all', Buffer.alloc(0), 'is empty'],
  ])('L21 names %s', async (_what, bytes, reason) => {
    await expect(read(bytes, 1_000_000)).rejects.toMatchObject({
      ...{ name: 'VerifyError', kind: 'wrong-format' },
      message: expect.stringContaining(reason),
    });
  });

  it('L21 takes the largest window that is allowed', async () => {
    expect(await read(ZSTD_LONG_27, 1_000_000)).toBe(ZSTD_LONG_27_TEXT);
  });
});

describe('gzip', () => {
  const member = gzipSync('hello');

  it.each([
    ['two members', [member, member], 'hellohello'],
    ['an empty member', [gzipSync(''), member], 'hello'],
    ['zeros behind it, as tapes have', [member, Buffer.alloc(512)], 'hello'],
    ['a name in its header', [withName(member, 'weights.bin')], 'hello'],
  ])('L20 gives all of %s, wherever the pieces are cut', async (_what, members, text) => {
    for (const pieceBytes of [1, 5, 1_000_000])
      expect(await unpacked(Buffer.concat(members), 'gzip', pieceBytes)).toBe(text);
  });

  it.each([
    ['a wrong checksum', withFlipped(member, member.length - 8), 'incorrect data check'],
    ['a cut in its trailer', member.subarray(0, -3), 'unexpected end of file'],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4]), '(xz), which no gzip file does'],
    ['bzip2', Buffer.from('BZh91AY&SY'), 'bzip2'],
    ['zstd', hello, 'zstd'],
  ])('L03 names %s', async (_what, bytes, reason) => {
    await expect(unpacked(bytes, 'gzip')).rejects.toMatchObject({
      ...{ name: 'VerifyError', kind: 'wrong-format' },
      message: expect.stringContaining(reason),
    });
  });
});

describe('decompress', () => {
  it('passes on the error of its input', async () => {
    const broken = (async function* (): AsyncGenerator<Uint8Array> {
      yield hello.subarray(0, 5);
      throw new Error('the disk is gone');
    })();
    await expect(textOf(decompress(broken, 'zstd', DECOMPRESS_LIMITS))).rejects.toThrow('the disk is gone');
  });
});

/** The member with FNAME set. */
function withName(gzip: Buffer, name: string): Buffer {
  const header = Buffer.from(gzip.subarray(0, 10));
  header[3]! |= 8;
  return Buffer.concat([header, Buffer.from(`${name}\0`), gzip.subarray(10)]);
}

function withFlipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
}
