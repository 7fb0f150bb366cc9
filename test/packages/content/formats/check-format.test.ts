import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkFormat, guessFormat, type FileFormat } from '#content/formats/check-format';
import { encodeTarHeader } from '#content/archives/tar-header';
import { u32, u64 } from '../../../helpers/little-endian.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-formats-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function check(bytes: Uint8Array, format: FileFormat): Promise<string | undefined> {
  const path = join(folder, 'file');
  await writeFile(path, bytes);
  return checkFormat(path, bytes.length, format);
}

const gguf = (version: number, tensors: number, pairs: number): Buffer =>
  Buffer.concat([Buffer.from('GGUF'), u32(version), u64(tensors), u64(pairs), Buffer.alloc(100)]);

/** Version 3, two tensors, one key. */
const bigEndianGguf = Buffer.from(
  `GGUF${'\0\0\0\x03'}${'\0'.repeat(7)}\x02${'\0'.repeat(7)}\x01${'\0'.repeat(100)}`,
  'latin1',
);

const safetensors = (header: unknown, dataBytes: number, length?: number): Buffer => {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return Buffer.concat([u64(length ?? text.length), text, Buffer.alloc(dataBytes)]);
};
const tensor = (start: number, end: number) => ({ dtype: 'U8', shape: [end - start], data_offsets: [start, end] });

/** IR version 8, producer "x", a graph of 300 bytes, one operator set. */
const onnx = Buffer.concat([
  Buffer.from([0x08, 8, 0x12, 1, 0x78, 0x3a, 0xac, 0x02]),
  Buffer.alloc(300),
  Buffer.from([0x42, 2, 0x10, 17]),
]);
/** Varints: -1 as int64, and 2026<<48 | 11<<32 | 29. */
const TEN_BYTES = [...Array<number>(9).fill(0xff), 0x01];
const NINE_BYTES = [0x9d, 0x80, 0x80, 0x80, 0xb0, 0x81, 0x80, 0xf5, 0x07];
const EIGHT_BYTES = Buffer.from([0xa1, 0x06, ...Array<number>(8).fill(0xff)]);
const FOUR_BYTES = Buffer.from([0xa5, 0x06, ...Array<number>(4).fill(0xff)]);
const html = Buffer.from('<!doctype html><html>login</html>');
const pointer = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n');

/** The end record of a zip; the directory begins in volume 0. */
function zipEnd(count: number, directoryBytes: number, directoryStart: number, disk = 0, commentBytes = 0): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(disk, 4);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryStart, 16);
  end.writeUInt16LE(commentBytes, 20);
  return end;
}

/** One empty entry, named "a". */
function zipOf(start: number, comment = ''): Buffer {
  const local = Buffer.alloc(31);
  local.write('PK\x03\x04', 'latin1');
  local.writeUInt16LE(1, 26);
  local.write('a', 30);
  const directory = Buffer.alloc(47);
  directory.write('PK\x01\x02', 'latin1');
  directory.writeUInt16LE(1, 28);
  directory.writeUInt32LE(start, 42);
  directory.write('a', 46);
  const end = zipEnd(1, directory.length, start + local.length, 0, comment.length);
  return Buffer.concat([local, directory, end, Buffer.from(comment, 'latin1')]);
}

const zip = zipOf(0);
const zip64Locator = Buffer.concat([Buffer.from('PK\x06\x07', 'latin1'), Buffer.alloc(16)]);

describe('checkFormat', () => {
  it.each<[FileFormat, Buffer]>([
    ['onnx', onnx],
    ['safetensors', safetensors({ __metadata__: { a: 'b' }, x: tensor(0, 4), y: tensor(4, 10) }, 10)],
    ['safetensors', safetensors({}, 0)],
    ['gguf', gguf(3, 2, 1)],
    ['gzip', gzipSync('x')],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])],
    ['zstd', Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0])],
    ['tar', Buffer.from(encodeTarHeader('a', 0))],
    ['zip', Buffer.from('PK\x03\x04')],
  ])('CH4 takes a sound %s', async (format, bytes) => {
    expect(await check(bytes, format)).toBeUndefined();
  });

  it.each<[FileFormat, string, Buffer, string]>([
    ['onnx', 'B13 a login page', html, 'starts with'],
    ['onnx', 'B15 an LFS pointer', pointer, 'starts with'],
    ['onnx', 'a graph cut short', onnx.subarray(0, 200), 'before its last field does'],
    ['onnx', 'no graph', onnx.subarray(0, 5), 'no graph'],
    ['onnx', 'B11 a tail of zeros', Buffer.concat([onnx, Buffer.alloc(50)]), 'no field'],
    ['onnx', 'an empty file', Buffer.alloc(0), 'no IR version'],
    ['onnx', 'the end of a group that never began', Buffer.concat([onnx, Buffer.from([0xa4, 0x06])]), 'no field'],
    ['onnx', 'a group without an end', Buffer.concat([onnx, Buffer.from([0xa3, 0x06])]), 'inside a group'],
    ['onnx', 'a known field of another type', Buffer.concat([onnx, Buffer.from([0x38, 1])]), 'no field'],
    ['onnx', 'a field cut in its 8 bytes', Buffer.concat([onnx, Buffer.from([0xa1, 0x06, 0])]), 'before its last'],
    ['onnx', 'a varint without end', Buffer.alloc(30, 0xff), 'starts with'],
    ['safetensors', 'a login page', html, 'promises a header'],
    ['safetensors', 'a header longer than the file', safetensors({}, 0, 5000), 'promises a header of 5000 bytes'],
    ['safetensors', 'a header that is no JSON', safetensors('{nope', 0), 'not a JSON object'],
    ['safetensors', 'a header that is a list', safetensors('[]', 0), 'does not start with'],
    ['safetensors', 'data cut short', safetensors({ x: tensor(0, 10) }, 9), 'has 9 bytes of data'],
    ['safetensors', 'a hole', safetensors({ x: tensor(0, 4), y: tensor(5, 10) }, 10), 'gap'],
    ['safetensors', 'an overlap', safetensors({ x: tensor(0, 6), y: tensor(5, 10) }, 10), 'overlap'],
    ['safetensors', 'offsets that are texts', safetensors({ x: { data_offsets: ['0', 1] } }, 1), 'data_offsets'],
    ['safetensors', 'three bytes', Buffer.alloc(3), 'less than'],
    ['gguf', 'a login page', html, 'not with "GGUF"'],
    ['gguf', 'a version 0', gguf(0, 0, 0), 'version 0'],
    ['gguf', 'counts that cannot be', gguf(3, 1e12, 0), 'more than'],
    ['gguf', 'a header cut short', gguf(3, 0, 0).subarray(0, 10), 'less than a GGUF header'],
    ['gzip', 'a login page', html, 'no gzip file does'],
    ['zip', 'nothing', Buffer.alloc(0), 'empty'],
    ['zip', 'a login page', html, 'does not end with the end record of a zip file'],
    ['zip', 'an end record without its directory', Buffer.concat([html, zipEnd(1, 60, 500)]), 'end record'],
    ['zip', 'an end record cut short', Buffer.concat([html, zipEnd(0, 0, 0).subarray(0, 21)]), 'end record'],
    ['zip', 'a comment longer than the file', Buffer.concat([html, zipEnd(0, 0, 0, 0, 9)]), 'end record'],
    ['tar', 'a login page', Buffer.concat([html, Buffer.alloc(600)]), 'checksum'],
  ])('CH4 refuses as %s %s', async (format, _what, bytes, reason) => {
    expect(await check(bytes, format)).toContain(reason);
  });

  it.each<[string, Buffer]>([
    ['a program that extracts it in front', Buffer.concat([html, zip])],
    ['a program in front that the offsets count', Buffer.concat([html, zipOf(html.length)])],
    ['bytes behind it', Buffer.concat([html, zip, Buffer.from('trailing')])],
    ['a long comment', Buffer.concat([html, zipOf(0, 'PK\x05\x06 '.repeat(9000))])],
    [
      'more entries than its record counts',
      Buffer.concat([html, zip64Locator, zipEnd(0xffff, 0xffffffff, 0xffffffff)]),
    ],
    ['its directory in another volume', Buffer.concat([html, zipEnd(2, 94, 40_000, 4)])],
    ['nothing in it', Buffer.concat([html, zipEnd(0, 0, 0)])],
  ])('L31 finds a zip with %s by its end record', async (_what, bytes) => {
    expect(await check(bytes, 'zip')).toBeUndefined();
  });

  it.each<[FileFormat, string, Buffer]>([
    ['onnx', 'an unknown field behind', Buffer.concat([onnx, Buffer.from('\xda\x01\x05hello', 'latin1')])],
    ['onnx', 'an unknown field in front', Buffer.concat([Buffer.from('\xda\x01\x05hello', 'latin1'), onnx])],
    ['onnx', 'an unknown number', Buffer.concat([onnx, Buffer.from([0xa0, 0x06, ...TEN_BYTES])])],
    ['onnx', 'unknown fields of 8 and 4 bytes', Buffer.concat([onnx, EIGHT_BYTES, FOUR_BYTES])],
    ['onnx', 'an unknown group', Buffer.concat([onnx, Buffer.from([0xa3, 0x06, 0x38, 1, 0xa4, 0x06])])],
    ['onnx', 'model_version -1', Buffer.concat([Buffer.from([0x28, ...TEN_BYTES]), onnx])],
    ['onnx', 'a model_version above 2^53', Buffer.concat([Buffer.from([0x28, ...NINE_BYTES]), onnx])],
    ['onnx', 'an IR version of the far future', Buffer.concat([onnx, Buffer.from([0x08, ...NINE_BYTES])])],
    ['onnx', 'two models one after the other, which protobuf merges', Buffer.concat([onnx, onnx])],
    ['gguf', 'a version from the future', gguf(77, 1e12, 0)],
    ['gguf', 'big-endian counts', bigEndianGguf],
    ['safetensors', 'types of the future', safetensors({ x: { ...tensor(0, 4), dtype: 'F4X', future: {} } }, 4)],
    ['safetensors', 'spaces behind the header', safetensors('{}     ', 0)],
    ['safetensors', 'empty tensors', safetensors({ a: tensor(0, 0), b: tensor(0, 4), c: tensor(4, 4) }, 4)],
  ])('L24 takes what a newer or another program writes: %s with %s', async (format, _what, bytes) => {
    expect(await check(bytes, format)).toBeUndefined();
  });

  it('reads an open handle and leaves it open', async () => {
    const path = join(folder, 'open');
    await writeFile(path, onnx);
    const handle = await open(path, 'r');
    expect(await checkFormat(handle, onnx.length, 'onnx')).toBeUndefined();
    expect((await handle.stat()).size).toBe(onnx.length);
    await handle.close();
  });
});

describe('guessFormat', () => {
  it.each([
    ['a/b.ONNX', 'onnx'],
    ['m.safetensors', 'safetensors'],
    ['m.q4.gguf', 'gguf'],
    ['m.tar.gz', 'gzip'],
    ['m.tar.zst', 'zstd'],
    ['m.tar', 'tar'],
    ['m.zip', 'zip'],
    ['config.json', undefined],
    ['x.constructor', undefined],
    ['README', undefined],
  ])('%s is %s', (path, format) => {
    expect(guessFormat(path)).toBe(format);
  });
});
