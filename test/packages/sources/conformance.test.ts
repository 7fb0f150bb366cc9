import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import type { ReadRequest, Source } from '#core/source';
import type { Http } from '#http/pool';
import { parseGateway } from '#sources/gateway/gateways';
import { huggingface } from '#sources/hub/huggingface';
import { ipfsGateway } from '#sources/gateway/ipfs-gateway';
import { mirror } from '#sources/mirror';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import type { Fault } from '../../helpers/origin/origin-fault.ts';
import type { Origin, OriginOptions } from '../../helpers/origin/origin.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { collect, quickHttp } from './collect.ts';

const BYTES = someBytes(1_300_000);
const SIZE = BYTES.length;
const PART: ReadRequest = { range: { start: 0, end: 1000 } };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Faults = Parameters<typeof startOrigin>[1];
interface Bench {
  readonly source: Source;
  readonly origin: Origin;
  readonly http: Http;
}

async function bench(
  make: (http: Http, url: string) => Source,
  faults: Faults,
  options?: OriginOptions,
): Promise<Bench> {
  const origin = await startOrigin(BYTES, faults, options);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  return { source: make(http, origin.url), origin, http };
}

const KINDS: Record<string, (http: Http, url: string) => Source> = {
  'ipfs-gateway': (http, url) =>
    ipfsGateway({ http, gateway: parseGateway(url), cid: 'bafyfile', fileName: 'model.onnx', trusted: true }),
  huggingface: (http, endpoint) =>
    huggingface({
      http,
      file: { endpoint, repo: 'org/m', repoType: 'model', revision: 'main', path: 'dir with space/ü.onnx' },
      trusted: true,
      logger: silentLogger,
    }),
  mirror: (http, url) => mirror({ http, url: `${url}/files/model.onnx` }),
};

describe.each(Object.entries(KINDS))('the source %s', (_kind, make) => {
  it('gives the whole file', async () => {
    const { source, origin } = await bench(make, []);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toBeUndefined();
    expect(got.head).toMatchObject({ start: 0, end: SIZE, totalBytes: SIZE });
    expect(got.bytes.equals(BYTES)).toBe(true);
    expect(origin.requests[0]!.range).toBeUndefined();
  });

  it('gives exactly the bytes of a range', async () => {
    const { source, origin } = await bench(make, []);
    const got = await collect(source, { range: { start: 700_001, end: 1_200_002 }, sizeBytes: SIZE });
    expect(got.head).toMatchObject({ start: 700_001, end: 1_200_002, totalBytes: SIZE });
    expect(got.bytes.equals(BYTES.subarray(700_001, 1_200_002))).toBe(true);
    expect(origin.requests[0]!.range).toBe('bytes=700001-1200001');
    expect(source.capabilities().range).toBe(true);
  });

  it('HR1 asks for the identity encoding', async () => {
    const { source, origin } = await bench(make, []);
    await collect(source, { range: { start: 0, end: 10 }, sizeBytes: SIZE });
    expect(origin.requests[0]!.headers['accept-encoding']).toBe('identity');
  });

  it('B18 HR18 takes an empty file, also when the origin says 416', async () => {
    const { source, origin } = await bench(make, [{ do: 'none' }, { do: 'range-not-satisfiable', total: 0 }]);
    origin.serve(new Uint8Array(0));
    for (let i = 0; i < 2; i += 1) {
      const got = await collect(source, { range: { start: 0, end: 0 }, sizeBytes: 0 });
      expect(got.error).toBeUndefined();
      expect(got.head).toMatchObject({ start: 0, end: 0 });
    }
  });

  it('A01 HR7 never takes a whole body for a later range, and learns from it', async () => {
    const { source } = await bench(make, [{ do: 'ignore-range' }]);
    const got = await collect(source, { range: { start: 10, end: 20 }, sizeBytes: SIZE });
    expect(got).toMatchObject({ error: { kind: 'range-refused' }, head: undefined });
    expect(got.bytes).toHaveLength(0);
    expect(source.capabilities().range).toBe(false);
  });

  it('A01 HR7 takes the wanted part of a whole body that starts where the range starts', async () => {
    const { source } = await bench(make, [{ do: 'ignore-range' }]);
    const got = await collect(source, { range: { start: 0, end: 500_000 }, sizeBytes: SIZE });
    expect(got.error).toBeUndefined();
    expect(got.bytes.equals(BYTES.subarray(0, 500_000))).toBe(true);
    expect(source.capabilities().range).toBe(false);
  });

  it('A05 HR10 takes a shorter part than asked for', async () => {
    const { source } = await bench(make, [{ do: 'end-short', by: 100 }]);
    const got = await collect(source, { range: { start: 0, end: 1000 }, sizeBytes: SIZE });
    expect(got).toMatchObject({ error: undefined, head: { start: 0, end: 900 } });
    expect(got.bytes).toHaveLength(900);
  });

  it.each([
    ['A02 HR8 without Content-Range', { do: 'no-content-range' }, 'range-refused'],
    ['A06 HR11 beyond the range', { do: 'end-beyond', by: 5 }, 'range-refused'],
    ['A07 HR12 of a file of another size', { do: 'wrong-total', total: 5_000_000 }, 'size-mismatch'],
    ['A09 HR14 whose end lies before its start', { do: 'last-before-first' }, 'range-refused'],
    ['A10 HR15 as multipart', { do: 'multipart' }, 'range-refused'],
    ['A13 HR16 refused with 416 without a size', { do: 'range-not-satisfiable', total: 'none' }, 'range-refused'],
    ['A12 HR17 refused with 416 of another size', { do: 'range-not-satisfiable', total: 7 }, 'size-mismatch'],
    ['HR11 of another length', { do: 'headers', set: { 'content-length': '3' } }, 'range-refused'],
    ['A24 HR29 as 304', { do: 'status', status: 304 }, 'bad-response'],
    ['A25 HR27 as 204', { do: 'status', status: 204 }, 'bad-response'],
    ['HR27 as 201', { do: 'status', status: 201, body: 'made' }, 'bad-response'],
    ['B07 B09 HR24 compressed', { do: 'gzip' }, 'range-refused'],
    ['B13 E04 HR28 as an HTML page', { do: 'html' }, 'bad-response'],
    ['B14 as a JSON error', { do: 'json-error' }, 'bad-response'],
    ['A14 as 412', { do: 'status', status: 412 }, expect.stringMatching(/bad-response|missing/)],
    ['A27 as 451', { do: 'status', status: 451 }, 'missing'],
    ['A27 as 418', { do: 'status', status: 418 }, 'bad-response'],
    ['A27 as 507', { do: 'status', status: 507 }, 'server-error'],
    ['as 404', { do: 'status', status: 404 }, 'missing'],
    ['as 410', { do: 'status', status: 410 }, 'missing'],
    ['as 500', { do: 'status', status: 500, body: 'oops' }, 'server-error'],
    ['A32 HT1 as 503', { do: 'status', status: 503 }, 'throttled'],
    ['E02 as 504', { do: 'status', status: 504 }, 'throttled'],
  ] as const)('refuses a part %s before a byte', async (_what, fault, kind) => {
    const { source } = await bench(make, [fault]);
    const got = await collect(source, { range: { start: 0, end: 1000 }, sizeBytes: SIZE });
    expect(got.error).toMatchObject({ name: 'SourceError', kind, source: source.name });
    expect(got.bytes).toHaveLength(0);
    expect(got.head).toBeUndefined();
  });

  it('A03 HR9 asks once more over another connection when a part starts elsewhere, and takes that answer', async () => {
    const { source, origin } = await bench(make, [{ do: 'none' }, { do: 'wrong-start' }]);
    await collect(source, { range: { start: 0, end: 1000 }, sizeBytes: SIZE });
    const got = await collect(source, { range: { start: 1000, end: 2000 }, sizeBytes: SIZE });
    expect(got).toMatchObject({ error: undefined, head: { start: 1000, end: 2000 } });
    expect(got.bytes.equals(BYTES.subarray(1000, 2000))).toBe(true);
    expect(origin.requests.map(({ range }) => range)).toEqual(['bytes=0-999', 'bytes=1000-1999', 'bytes=1000-1999']);
    expect(origin.connections()).toBe(2);
    expect(source.capabilities().range).toBe(true);
  });

  it('A03 HR9 counts the source as one without ranges when that part starts elsewhere as well', async () => {
    const { source, origin } = await bench(make, [{ do: 'wrong-start' }, { do: 'wrong-start', by: 7 }]);
    const got = await collect(source, { range: { start: 0, end: 1000 }, sizeBytes: SIZE });
    expect(got).toMatchObject({ error: { kind: 'range-refused' }, head: undefined });
    expect(origin.requests).toHaveLength(2);
    expect(source.capabilities().range).toBe(false);
  });

  it('HR22 is not fooled by a body that is longer than its declared length, and does not take its rest for an answer', async () => {
    const less: Fault = { do: 'headers', set: { 'content-length': '900' } };
    const { source } = await bench(make, [less, less]);
    expect((await collect(source, { sizeBytes: SIZE })).error).toMatchObject({ kind: 'size-mismatch' });
    const unsized = await collect(source, {});
    expect(unsized).toMatchObject({ error: undefined, head: { totalBytes: 900 } });
    expect(unsized.bytes.equals(BYTES.subarray(0, 900))).toBe(true);
    const next = await collect(source, { range: { start: 5, end: 500 }, sizeBytes: SIZE });
    expect(next.error).toBeUndefined();
    expect(next.bytes.equals(BYTES.subarray(5, 500))).toBe(true);
  });

  it.each<[string, Fault, ReadRequest]>([
    ['a length', { do: 'headers', set: { 'content-length': '9007199254740993' } }, { sizeBytes: SIZE }],
    ['a length, of a file of unknown size', { do: 'headers', set: { 'content-length': '9007199254740993' } }, {}],
    ['a total', { do: 'headers', set: { 'content-range': 'bytes 0-999/9007199254740993' } }, PART],
    ['an end', { do: 'headers', set: { 'content-range': 'bytes 0-9007199254740993/9007199254740995' } }, PART],
    ['a start', { do: 'headers', set: { 'content-range': 'bytes 9007199254740993-9007199254740999/*' } }, PART],
  ])('A23 refuses %s beyond 2^53, which no number holds exactly', async (_what, fault, request) => {
    const { source } = await bench(make, [fault, fault]);
    const got = await collect(source, request);
    expect(got.error).toMatchObject({ name: 'SourceError', kind: expect.stringMatching(/bad-response|range-refused/) });
    expect(got).toMatchObject({ head: undefined, bytes: Buffer.alloc(0) });
  });

  it('HR13 takes a part without a total only when the size is pinned', async () => {
    const { source } = await bench(make, [
      { do: 'wrong-total', total: '*' },
      { do: 'wrong-total', total: '*' },
    ]);
    const range = { start: 0, end: 1000 };
    expect((await collect(source, { range, sizeBytes: SIZE })).error).toBeUndefined();
    expect((await collect(source, { range })).error).toMatchObject({ kind: 'range-refused' });
  });

  it('A28 HT2 reports the Retry-After of a throttled source', async () => {
    const { source } = await bench(make, [{ do: 'status', status: 429, retryAfterS: 7 }]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toMatchObject({ kind: 'throttled', retryAfterMs: 7000, httpStatus: 429 });
  });

  it('B01 B04 HR20 keeps the bytes of a body that breaks off and says interrupted', async () => {
    const { source } = await bench(make, [{ do: 'cut', afterBytes: 300_000 }]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toMatchObject({ kind: 'interrupted' });
    expect(got.bytes.equals(BYTES.subarray(0, got.bytes.length))).toBe(true);
  });

  it('HR21 detects that a body without a length ended early', async () => {
    const { source } = await bench(make, [[{ do: 'no-length' }, { do: 'cut', afterBytes: 300_000 }]]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toMatchObject({ kind: 'interrupted' });
    expect(got.bytes).toHaveLength(300_000);
  });

  it('B02 says interrupted when a chunked body breaks off', async () => {
    const { source } = await bench(make, [[{ do: 'chunked' }, { do: 'cut', afterBytes: 300_000 }]]);
    expect((await collect(source, { sizeBytes: SIZE })).error).toMatchObject({ kind: 'interrupted' });
  });

  it('B06 HR23 stops at the pinned size when a body has no end', async () => {
    const { source } = await bench(make, [{ do: 'endless' }]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toMatchObject({ kind: 'size-mismatch' });
    expect(got.bytes.equals(BYTES)).toBe(true);
  });

  it('B17 refuses an empty body for a file that is not empty', async () => {
    const { source } = await bench(make, [{ do: 'empty' }]);
    expect((await collect(source, { sizeBytes: SIZE })).error).toMatchObject({ kind: 'size-mismatch' });
  });

  it('B15 HR30 recognises a Git LFS pointer', async () => {
    const { source } = await bench(make, [{ do: 'lfs-pointer' }]);
    const got = await collect(source, {});
    // The CID of a gateway's file decides.
    if (source.kind === 'ipfs-gateway') return expect(got.bytes.toString()).toContain('git-lfs');
    expect(got.error).toMatchObject({ kind: 'bad-response', message: expect.stringContaining('LFS pointer') });
    expect(got.bytes).toHaveLength(0);
  });

  it('C01 says timed-out when the body stalls, and keeps the bytes before', async () => {
    const { source } = await bench(make, [{ do: 'stall', afterBytes: 100_000 }]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got.error).toMatchObject({ kind: 'timed-out' });
    expect(got.bytes).toHaveLength(100_000);
  });

  it('says aborted when stopped, and passes on what the sink throws', async () => {
    const { source } = await bench(make, [{ do: 'none' }, { do: 'stall', afterBytes: 10 }]);
    const sink = {
      head: () => undefined,
      write: () => {
        throw new RangeError('the sink is full');
      },
    };
    await expect(source.read({ sizeBytes: SIZE }, sink, new AbortController().signal)).rejects.toThrow(RangeError);
    const got = await collect(source, { sizeBytes: SIZE }, AbortSignal.timeout(30));
    expect(got.error).toMatchObject({ name: 'SourceError', kind: 'aborted' });
  });

  it('D01 HA5 follows a relative redirect with its query', async () => {
    const { source, origin } = await bench(make, [{ do: 'redirect-chain', hops: 1 }]);
    const got = await collect(source, { range: { start: 5, end: 25 }, sizeBytes: SIZE });
    expect(got.bytes.equals(BYTES.subarray(5, 25))).toBe(true);
    expect(origin.requests[1]!.path).toContain('?to=');
  });

  it('E01 says unreachable when no server listens', async () => {
    const { source, origin } = await bench(make, []);
    await origin.close();
    expect((await collect(source, { sizeBytes: SIZE })).error).toMatchObject({ kind: 'unreachable' });
  });
});
