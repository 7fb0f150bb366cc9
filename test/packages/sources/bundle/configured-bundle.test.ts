import { randomBytes, createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { configuredBundles } from '#sources/bundle/configured-bundle';
import { createBundle } from '#store/models/bundle-writer';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';

const { signal } = new AbortController();
const bytes = randomBytes(9_000_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const SPEC = { path: 'model.bin', digests: { sha256 } };

describe('a bundle that the operator named', () => {
  let folder: string;
  let http: Http;
  let origin: Origin | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-bundle-'));
    http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  });
  afterEach(async () => {
    http.close();
    await origin?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function write(): Promise<string> {
    const filePath = join(folder, 'model.bin');
    const out = join(folder, 'models.tar');
    await writeFile(filePath, bytes);
    const files = [{ sha256, sizeBytes: bytes.length, filePath }];
    await createBundle([{ manifest: { name: 'm', version: '1' }, files }], out);
    return out;
  }

  async function read(location: string, range?: { start: number; end: number }): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const sink = { head: () => undefined, write: (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)) };
    const source = configuredBundles([location], http)[0]!.source(SPEC);
    await source.read({ range, sizeBytes: bytes.length }, sink, signal);
    expect(source.capabilities().range).toBe(true);
    return Buffer.concat(chunks);
  }

  it('CH5 serves its members from a file', async () => {
    expect((await read(await write())).equals(bytes)).toBe(true);
  });

  it('CH5 serves its members from a server, by range', async () => {
    origin = await startOrigin({ files: { 'models.tar': await readFile(await write()) } });
    const url = `${origin.url}/files/models.tar`;
    const range = { start: 4_000_000, end: 8_900_000 };
    expect((await read(url, range)).equals(bytes.subarray(range.start, range.end))).toBe(true);
    expect((await read(url)).equals(bytes)).toBe(true);
  });

  it('has a name of its own, also beside another of the same name', () => {
    const locations = ['/a/models.tar', '/b/models.tar', '/b/others.tar', 'http://10.0.0.1/models.tar'];
    const names = configuredBundles(locations, http).map((bundle) => bundle.source(SPEC).name);
    expect(names.slice(0, 3)).toEqual(['bundle models.tar', 'bundle models.tar #2', 'bundle others.tar']);
    expect(new Set(names).size).toBe(4);
  });

  it('is opened when it is wanted, also when it was not there before', async () => {
    const location = join(folder, 'models.tar');
    const bundle = configuredBundles([location], http)[0]!;
    const sink = { head: () => undefined, write: () => undefined };
    const ask = () => bundle.source(SPEC).read({ sizeBytes: bytes.length }, sink, signal);
    await expect(ask()).rejects.toMatchObject({ kind: 'missing' });
    await write();
    await expect(ask()).resolves.toBeUndefined();
  });
});
