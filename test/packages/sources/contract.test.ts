import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { parseGateway } from '#sources/gateway/gateways';
import { huggingface } from '#sources/hub/huggingface';
import { ipfsGateway } from '#sources/gateway/ipfs-gateway';
import { localFile } from '#sources/local-file';
import { mirror } from '#sources/mirror';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { collect, quickHttp } from './collect.ts';

const SIZE = 1_300_000;
const BYTES = someBytes(SIZE);
const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function overHttp(make: (http: ReturnType<typeof quickHttp>, url: string) => Source, bytes: Uint8Array) {
  const origin = await startOrigin(bytes);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  return make(http, origin.url);
}

async function onDisk(bytes: Uint8Array): Promise<Source> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-contract-'));
  closers.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'model.onnx'), bytes);
  return localFile(pathToFileURL(join(folder, 'model.onnx')).href);
}

const file = { repo: 'org/m', repoType: 'model', revision: 'main', path: 'model.onnx' } as const;
const KINDS: Record<string, (bytes: Uint8Array) => Promise<Source>> = {
  'ipfs-gateway': (bytes) =>
    overHttp(
      (http, url) =>
        ipfsGateway({ http, gateway: parseGateway(url), cid: 'bafyfile', fileName: 'model.onnx', trusted: true }),
      bytes,
    ),
  huggingface: (bytes) =>
    overHttp(
      (http, endpoint) => huggingface({ http, file: { endpoint, ...file }, trusted: true, logger: silentLogger }),
      bytes,
    ),
  mirror: (bytes) => overHttp((http, url) => mirror({ http, url: `${url}/files/model.onnx` }), bytes),
  local: onDisk,
};

/** What every source promises (`Source`), wherever its bytes are. */
describe.each(Object.entries(KINDS))('any source, such as %s,', (kind, make) => {
  it('says what it is, and shows no secret', async () => {
    const source = await make(BYTES);
    expect(source.kind).toBe(kind);
    expect(source.name).not.toContain('?');
    expect(source.capabilities().maxConnections).toBeGreaterThan(0);
  });

  it('gives the whole file, with its head before the first byte', async () => {
    const source = await make(BYTES);
    const seen: string[] = [];
    const sink = { head: () => void seen.push('head'), write: () => void seen.push('bytes') };
    await source.read({}, sink, never);
    expect([seen[0], seen.indexOf('head', 1)]).toEqual(['head', -1]);
    const got = await collect(source, { sizeBytes: SIZE });
    expect(got).toMatchObject({ error: undefined, head: { start: 0, end: SIZE, totalBytes: SIZE } });
    expect(got.bytes.equals(BYTES)).toBe(true);
  });

  it.each([
    [0, 1],
    [700_001, 1_200_002],
    [SIZE - 1, SIZE],
  ])('gives exactly the bytes from %i to %i', async (start, end) => {
    const source = await make(BYTES);
    const got = await collect(source, { range: { start, end }, sizeBytes: SIZE });
    expect(got).toMatchObject({ error: undefined, head: { start, end, totalBytes: SIZE } });
    expect(got.bytes.equals(BYTES.subarray(start, end))).toBe(true);
    expect(source.capabilities().range).toBe(true);
  });

  it('gives an empty file', async () => {
    const got = await collect(await make(new Uint8Array(0)), { sizeBytes: 0 });
    expect(got).toMatchObject({ error: undefined, head: { start: 0, totalBytes: 0 } });
    expect(got.bytes).toHaveLength(0);
  });

  it('refuses a file of another size before a byte', async () => {
    const got = await collect(await make(BYTES), { range: { start: 0, end: 10 }, sizeBytes: SIZE + 1 });
    expect(got).toMatchObject({ error: { name: 'SourceError', kind: 'size-mismatch' }, head: undefined });
    expect(got.bytes).toHaveLength(0);
  });

  it('refuses a range beyond the file', async () => {
    const got = await collect(await make(BYTES), { range: { start: SIZE + 5, end: SIZE + 9 } });
    expect(got).toMatchObject({ error: { name: 'SourceError', kind: 'range-refused' } });
    expect(got.bytes).toHaveLength(0);
  });

  it('passes on what the sink throws', async () => {
    const source = await make(BYTES);
    const full = { head: () => undefined, write: () => Promise.reject(new RangeError('the sink is full')) };
    await expect(source.read({}, full, never)).rejects.toThrow(RangeError);
  });

  it('says aborted when it is stopped, before and while it sends', async () => {
    const source = await make(BYTES);
    const stopped = AbortSignal.abort(new Error('enough'));
    expect((await collect(source, {}, stopped)).error).toMatchObject({ name: 'SourceError', kind: 'aborted' });
    const stop = new AbortController();
    const sink = { head: () => undefined, write: () => stop.abort(new Error('enough')) };
    await expect(source.read({ sizeBytes: SIZE }, sink, stop.signal)).rejects.toMatchObject({ kind: 'aborted' });
  });
});
