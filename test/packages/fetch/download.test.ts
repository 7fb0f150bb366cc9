import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download, type DownloadOptions, type DownloadReport, type Progress } from '#fetch/download';
import { startDigests } from '#content/digest/digests';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { makeBlocks, makeDirectory } from '../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';

const bytes = someBytes(3 * MIB, 'download');
const sha256 = sha256Of(bytes);
const dag = makeBlocks(bytes);
const folder = makeDirectory([{ name: 'model.bin', dag }]);
const COMMIT = 'c'.repeat(40);

describe('the download of the library', () => {
  let home: string;
  let to: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-download-'));
    to = join(home, 'model.bin');
    origin = await startOrigin({
      files: { 'model.bin': bytes },
      ipfs: { [dag.cid]: bytes },
      blocks: folder.blocks,
      repos: { 'org/m': { commit: COMMIT, files: { 'model.bin': bytes } } },
    });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const get = (from: string, more: Partial<DownloadOptions> = {}): Promise<DownloadReport> =>
    download({ from, to, gateways: [origin.url], hfEndpoint: origin.url, stallTimeoutMs: 2000, ...more });
  const url = (): string => `${origin.url}/files/model.bin`;
  const bytesSent = (): number => origin.requests.reduce((sum, request) => sum + request.bytesSent, 0);

  it('IN3 fetches a URL with a digest, reports progress, and leaves no other file', async () => {
    const seen: number[] = [];
    const report = await get(url(), { digests: { sha256 }, onProgress: (now) => seen.push(now.committedBytes) });
    expect(report).toMatchObject({
      ...{ path: to, sizeBytes: bytes.length, sha256, outcome: 'secondary_success', verified: true, resumedBytes: 0 },
    });
    expect(bytes.equals(await readFile(to))).toBe(true);
    expect(await readdir(home)).toEqual(['model.bin']);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(bytes.length);
  });

  it.each(['sha256', 'sha512', 'sha1', 'md5', 'git'] as const)(
    'EX3 proves a file by %s alone, also one that is here already, and refuses other bytes',
    async (algorithm) => {
      const running = startDigests([algorithm], { sizeBytes: bytes.length });
      running.update(bytes);
      const { digests } = running.finish();
      expect(await get(url(), { digests })).toMatchObject({ sha256, verified: true, outcome: 'secondary_success' });
      expect(await get(url(), { digests })).toMatchObject({ sha256, verified: true, outcome: 'cache_hit' });
      expect(origin.requests).toHaveLength(1);
      const other = { [algorithm]: digests[algorithm]!.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
      await rm(to);
      await expect(get(url(), { digests: other })).rejects.toThrow();
      expect(existsSync(to)).toBe(false);
    },
  );

  it('CH2 CH7 fetches by CID, and by a path below a CID, proven leaf by leaf', async () => {
    expect(await get(dag.cid)).toMatchObject({ sha256, cid: dag.cid, outcome: 'primary_success', verified: true });
    await rm(to);
    expect(await get(`ipfs://${folder.cid}/model.bin`)).toMatchObject({ sha256, cid: dag.cid });
    await expect(get(`${folder.cid}/other.bin`)).rejects.toThrow('"other.bin" is not in the directory');
  });

  it('CH2 proves the bytes of a pasted gateway URL by the CID in it, with that gateway first and the others behind', async () => {
    const pasted = await startOrigin({ blocks: folder.blocks, ipfs: { [dag.cid]: bytes } });
    try {
      // The one that was pasted may be configured as well, in whatever spelling.
      const gateways = [`${pasted.url}/ipfs/`, origin.url];
      const report = await get(`${pasted.url}/ipfs/${dag.cid}?filename=x`, { gateways });
      expect(report).toMatchObject({ sha256, cid: dag.cid, outcome: 'primary_success', verified: true });
      const names = [pasted, origin].map(({ port }) => `127.0.0.1:${port}`);
      expect(report.sources.map(({ source }) => source)).toEqual(names);
      await rm(to);
      expect(await get(`${pasted.url}/ipfs/${folder.cid}/model.bin`, { gateways: [] })).toMatchObject({ cid: dag.cid });
      await rm(to);
      pasted.rules.push({ fault: { do: 'other-bytes' } });
      expect(await get(`${pasted.url}/ipfs/${dag.cid}`)).toMatchObject({ sha256, verified: true });
      await rm(to);
      await expect(get(`${pasted.url}/ipfs/${dag.cid}`, { gateways: [] })).rejects.toThrow(ExhaustedError);
      expect(existsSync(to)).toBe(false);
    } finally {
      await pasted.close();
    }
  });

  it('takes a gateway URL without a CID in it as the URL that it is', async () => {
    origin.serve({ ipfs: { 'model.bin': bytes } });
    expect(await get(`${origin.url}/ipfs/model.bin`)).toMatchObject({ sha256, cid: undefined, verified: false });
  });

  it('fetches from a hub', async () => {
    expect(await get('hf:org/m/model.bin@main')).toMatchObject({ sha256, outcome: 'secondary_success' });
  });

  it('gives a new file the rights of any new file, and keeps those of one that it replaces', async () => {
    await get(url(), { digests: { sha256 } });
    expect((await stat(to)).mode & 0o777).toBe(0o666 & ~process.umask());
    await writeFile(to, 'something else');
    await chmod(to, 0o604);
    await get(url(), { digests: { sha256 } });
    expect((await stat(to)).mode & 0o777).toBe(0o604);
  });

  it('labels unproven bytes, and refuses them when it is strict, before any request', async () => {
    expect(await get(url())).toMatchObject({ sha256, verified: false });
    await rm(to);
    const requests = origin.requests.length;
    await expect(get(url(), { strict: true })).rejects.toMatchObject({ kind: 'unproven' });
    expect(origin.requests).toHaveLength(requests);
  });

  it('CH8 RE11 sends no request when the file is there already', async () => {
    await writeFile(to, bytes);
    expect(await get(url(), { digests: { sha256 } })).toMatchObject({
      outcome: 'cache_hit',
      resumedBytes: bytes.length,
    });
    expect(origin.requests).toEqual([]);
  });

  it('RE1 continues after a stop, without requesting a proven byte again', async () => {
    const stop = new AbortController();
    const stopped = get(dag.cid, {
      signal: stop.signal,
      limitBytesPerSecond: MIB,
      onProgress: ({ committedBytes }) => committedBytes >= MIB && stop.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(existsSync(to)).toBe(false);
    expect(await readdir(home)).toContainEqual(
      expect.stringMatching(/^\.model\.bin\.haulier-part\.[0-9a-f]{8}\.part$/),
    );

    const report = await get(dag.cid);
    expect(report.resumedBytes).toBeGreaterThanOrEqual(MIB);
    expect(report.sources.reduce((sum, source) => sum + source.bytes, 0)).toBe(bytes.length - report.resumedBytes);
    expect(bytes.equals(await readFile(to))).toBe(true);
  });

  it('keeps the good leaves of a damaged file at the target', async () => {
    const damaged = Buffer.from(bytes);
    damaged[MIB + 5]! ^= 1;
    await writeFile(to, damaged);
    const report = await get(dag.cid);
    expect(report.resumedBytes).toBe(bytes.length - 256 * 1024);
    expect(bytes.equals(await readFile(to))).toBe(true);
    expect(bytesSent()).toBeLessThan(MIB);
  });

  it('uses mirrors of the same bytes, after one that sends wrong bytes', async () => {
    const liar = await startOrigin({ files: { x: someBytes(bytes.length, 'other') } });
    try {
      const mirrors = [`${liar.url}/files/x`, url()];
      expect(await get(dag.cid, { gateways: [], mirrors, digests: { sha256 } })).toMatchObject({
        sha256,
        verified: true,
      });
    } finally {
      await liar.close();
    }
  });

  it('takes the percent sign of a mirror as it was meant, and refuses a mirror that is no URL before any request', async () => {
    origin.serve({ files: { '50%.bin': bytes } });
    const mirrors = [`${origin.url}/files/50%.bin`];
    expect(await get(url(), { mirrors, digests: { sha256 } })).toMatchObject({ verified: true });
    const requests = origin.requests.length;
    const refusal = get(url(), { mirrors: ['host/x'], to: `${to}2` });
    await expect(refusal).rejects.toThrow(new RangeError('"host/x" is no URL: write https://host/path'));
    expect(origin.requests).toHaveLength(requests);
  });

  it('HA7 follows a redirect into a private network only with allowPrivate', async () => {
    // What lies in a private network is reached through a proxy here, which plays the network.
    const network = await startOrigin({ files: { 'model.bin': bytes } });
    try {
      origin.rules.push({ fault: { do: 'redirect', to: 'http://10.1.2.3/files/model.bin' } });
      const proxy = { http: network.url, noProxy: '127.0.0.1' };
      const refusal = get(url(), { digests: { sha256 }, proxy });
      await expect(refusal).rejects.toThrow('10.1.2.3 is a private network address');
      expect(network.requests).toEqual([]);
      expect(await get(url(), { digests: { sha256 }, proxy, allowPrivate: true })).toMatchObject({ sha256 });
      const asked = network.requests.map(({ path }) => path);
      expect(new Set(asked)).toEqual(new Set(['http://10.1.2.3/files/model.bin']));
      origin.rules.splice(0, 1, { fault: { do: 'redirect', to: 'http://169.254.169.254/' } });
      const metadata = get(url(), { digests: { sha256 }, proxy, allowPrivate: true, to: `${to}2` });
      await expect(metadata).rejects.toThrow('169.254.169.254 is a link-local address');
    } finally {
      await network.close();
    }
  });

  it('IN3 reports with its progress the bytes and the discarded bytes of each source', async () => {
    const liar = await startOrigin({ blocks: dag.blocks, ipfs: { [dag.cid]: bytes } });
    try {
      liar.rules.push({ path: /^[^?]*$/, fault: { do: 'flip', atByte: MIB + 5 } });
      const seen: Progress[] = [];
      const from = { gateways: [liar.url], mirrors: [url()] };
      const report = await get(dag.cid, { ...from, onProgress: (progress) => seen.push(progress) });
      expect(report.wastedBytes).toBeGreaterThan(0);
      expect(seen.at(-1)!.sources).toEqual(
        report.sources.map(({ source, bytes: sent, wastedBytes }) => ({ source, bytes: sent, wastedBytes })),
      );
    } finally {
      await liar.close();
    }
  });

  it('CH7 names every source and why it failed', async () => {
    origin.serve({});
    const error = await get(url(), { mirrors: [`${origin.url}/files/b`], digests: { sha256 } }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(ExhaustedError);
    expect((error as ExhaustedError).failures.map(({ kind }) => kind)).toEqual(['missing', 'missing']);
    expect(existsSync(to)).toBe(false);
  });

  it('refuses what names no file', async () => {
    await expect(get('not a file')).rejects.toThrow(RangeError);
  });
});
