import { afterEach, describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import type { ReadRequest } from '#core/source';
import { mirror } from '#sources/mirror';
import { parseContentRange } from '#sources/response-head';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import type { Fault } from '../../helpers/origin/origin-fault.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { collect, quickHttp } from './collect.ts';

const BYTES = Buffer.from(someBytes(600_000));
const SIZE = BYTES.length;
const PAGE = Buffer.from('<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please</body></html>');
const POINTER = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 123456\n`);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Case {
  readonly bytes?: Buffer;
  readonly headers?: Record<string, string>;
  readonly faults?: readonly Fault[];
  readonly request?: ReadRequest;
  readonly isProvable?: boolean;
  readonly name?: string;
}

/** Asks an origin that labels its answers so. */
async function read({ bytes = BYTES, headers = {}, faults = [], request = {}, isProvable, name = 'model.bin' }: Case) {
  const labelled: readonly Fault[] = [{ do: 'headers', set: headers }, ...faults];
  const origin = await startOrigin({ files: { [name]: bytes } }, [labelled, labelled]);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  const source = mirror({ http, url: `${origin.url}/files/${name}`, isProvable });
  return { ...(await collect(source, request)), origin };
}

const HTML = { 'content-type': 'text/html' };
const CHUNKED: Fault = { do: 'chunked' };
const NO_LENGTH: Fault = { do: 'no-length' };

describe('the type of an answer is a hint', () => {
  it.each<[string, Case]>([
    [
      'a part with a fitting Content-Range',
      { headers: HTML, request: { range: { start: 10, end: 500_000 }, sizeBytes: SIZE } },
    ],
    ['the first part', { headers: HTML, request: { range: { start: 0, end: 500_000 }, sizeBytes: SIZE } }],
    ['a body of the expected length', { headers: HTML, request: { sizeBytes: SIZE } }],
    [
      'a body of the expected length that comes in chunks',
      { headers: HTML, faults: [CHUNKED], request: { sizeBytes: SIZE } },
    ],
    ['bytes that are no page', { headers: HTML }],
    ['bytes that are no page and have no length', { headers: HTML, faults: [NO_LENGTH] }],
    ['bytes that are no JSON', { headers: { 'content-type': 'application/json' } }],
    ['a page whose digest is known', { bytes: PAGE, headers: HTML, isProvable: true }],
    ['a page whose length is known', { bytes: PAGE, headers: HTML, request: { sizeBytes: PAGE.length } }],
    [
      'a page whose length is known, in chunks',
      { bytes: PAGE, headers: HTML, faults: [CHUNKED], request: { sizeBytes: PAGE.length } },
    ],
    ['a page that is asked for by name', { bytes: PAGE, headers: HTML, name: 'index.html' }],
    [
      'JSON whose digest is known',
      { bytes: Buffer.from('{"a":1}'), headers: { 'content-type': 'application/json' }, isProvable: true },
    ],
    ['a Git LFS pointer whose digest is known', { bytes: POINTER, isProvable: true }],
    ['a Git LFS pointer whose length is known', { bytes: POINTER, request: { sizeBytes: POINTER.length } }],
    ['a file that begins like a Git LFS pointer', { bytes: Buffer.concat([POINTER, BYTES]) }],
  ])('HR28 takes %s', async (_what, wanted) => {
    const { error, bytes } = await read(wanted);
    const { start, end } = wanted.request?.range ?? { start: 0, end: SIZE + POINTER.length };
    expect(error).toBeUndefined();
    expect(bytes.equals((wanted.bytes ?? BYTES).subarray(start, end))).toBe(true);
  });

  it.each<[string, Case, RegExp]>([
    [
      'a page of another length',
      { bytes: PAGE, headers: HTML, request: { sizeBytes: SIZE } },
      /^sent an HTML page instead of the file: 83 bytes, expected 600000 bytes$/,
    ],
    [
      'a page of another length, although a digest is known',
      { bytes: PAGE, headers: HTML, request: { sizeBytes: SIZE }, isProvable: true },
      /HTML page/,
    ],
    [
      'a page of another length, in chunks',
      { bytes: PAGE, headers: HTML, faults: [CHUNKED], request: { sizeBytes: SIZE }, isProvable: true },
      /^sent an HTML page instead/,
    ],
    [
      'a page where nothing is known',
      { bytes: PAGE, headers: HTML },
      /^sent an HTML page instead of the file; to fetch it anyway, give its digest$/,
    ],
    [
      'a page of XHTML where nothing is known',
      { bytes: PAGE, headers: { 'content-type': 'application/xhtml+xml' } },
      /HTML page/,
    ],
    [
      'JSON where nothing is known',
      { bytes: Buffer.from(' {"error":"later"}'), headers: { 'content-type': 'application/json; charset=utf-8' } },
      /^sent JSON instead/,
    ],
    ['a Git LFS pointer where nothing is known', { bytes: POINTER }, /^sent a Git LFS pointer instead/],
  ])('HR28 HR30 refuses %s before a byte', async (_what, wanted, message) => {
    const { error, bytes } = await read(wanted);
    expect(error).toMatchObject({ kind: 'bad-response', message: expect.stringMatching(message) });
    expect(bytes).toHaveLength(0);
  });

  it('HR15 takes one part that is labelled as several', async () => {
    const { error, bytes } = await read({
      headers: { 'content-type': 'multipart/byteranges; boundary=b' },
      request: { range: { start: 5, end: 50 }, sizeBytes: SIZE },
    });
    expect(error).toBeUndefined();
    expect(bytes.equals(BYTES.subarray(5, 50))).toBe(true);
  });
});

describe('the content coding of an answer is a label', () => {
  const stored = gzipSync(BYTES.subarray(0, 1000));
  const WORDS = [
    'gzip',
    'x-gzip',
    'aws-chunked',
    'none',
    'binary',
    'utf-8',
    'identity, gzip',
    'aws-chunked, x-gzip',
    'br',
    'äö',
  ];

  it.each(WORDS)('HR24 keeps bytes of the expected length as they are: %s', async (word) => {
    const headers = { 'content-encoding': Buffer.from(word).toString('latin1') };
    for (const faults of [[], [CHUNKED], [NO_LENGTH]]) {
      const { error, bytes } = await read({ bytes: stored, headers, faults, request: { sizeBytes: stored.length } });
      expect(error).toBeUndefined();
      expect(bytes.equals(stored)).toBe(true);
    }
    const part = await read({
      bytes: stored,
      headers,
      request: { range: { start: 3, end: 90 }, sizeBytes: stored.length },
    });
    expect(part.bytes.equals(stored.subarray(3, 90))).toBe(true);
  });

  it('HR24 keeps bytes of which nothing is known as they are, and says how they were labelled', async () => {
    for (const isProvable of [true, false]) {
      const { error, bytes, head } = await read({
        bytes: stored,
        headers: { 'content-encoding': 'x-gzip' },
        isProvable,
      });
      expect(error).toBeUndefined();
      expect(bytes.equals(stored)).toBe(true);
      expect(head).toMatchObject({ encoding: 'x-gzip' });
    }
    expect((await read({ headers: { 'content-encoding': 'identity' } })).head?.encoding).toBeUndefined();
  });

  it.each<[string, readonly Fault[], string]>([
    ['before a byte where it says its length', [], 'bad-response'],
    ['in chunks', [CHUNKED], 'bad-response'],
    ['until close', [NO_LENGTH], 'interrupted'],
  ])('B07 HR24 names the coding when a compressed body is not the file: %s', async (_how, faults, kind) => {
    const { error } = await read({
      bytes: gzipSync(Buffer.alloc(SIZE)),
      headers: { 'content-encoding': 'gzip' },
      faults,
      request: { sizeBytes: SIZE },
      isProvable: true,
    });
    expect(error).toMatchObject({ kind, message: expect.stringContaining('gzip although identity was asked') });
  });
});

describe('an empty file', () => {
  it.each([204, 416])('B18 is one where its size is known to be 0 and the answer is %d', async (status) => {
    const { error, bytes } = await read({ faults: [{ do: 'status', status }], request: { sizeBytes: 0 } });
    expect([error, bytes.length]).toEqual([undefined, 0]);
  });

  it('A25 is refused when no size shows that it is empty', async () => {
    const { error } = await read({ faults: [{ do: 'status', status: 204 }] });
    expect(error).toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('answered 204, which has no bytes'),
    });
  });
});

describe('Content-Range', () => {
  it.each([
    'bytes 0-9/10',
    'Bytes 0-9/10',
    'bytes=0-9/10',
    'bytes: 0-9/10',
    'bytes:0-9/10',
    '0-9/10',
    'bytes  0-9/10 ',
    'bytes 0 - 9 / 10',
  ])('A39 is read as servers write it: %s', (text) => {
    expect(parseContentRange(text)).toEqual({ start: 0, end: 10, total: 10 });
  });

  it.each(['bytes 0-9', 'items 0-9/10', 'bytes 0-9/x', 'bytes -9/10', 'bytes 0-9/10, bytes 1-2/10', '', 'bytes */10'])(
    'A02 is of no use as %s',
    (text) => expect(parseContentRange(text)).toBeUndefined(),
  );
});
