import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download, type DownloadOptions, type DownloadReport } from '#fetch/download';
import { hubFacts } from '#fetch/hub-facts';
import { quickHttp } from '../sources/collect.ts';
import { gitBlobSha1, sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import type { Fault } from '../../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';

const large = someBytes(50_000, 'large');
const small = Buffer.from('{"a":1}');
const other = someBytes(50_000, 'other');
const COMMIT = 'c'.repeat(40);
const files = { 'onnx/model.onnx': large, 'config.json': small, 'a@b ?#%+[x].json': small };

describe('a file of a hub', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-hub-'));
    origin = await startOrigin({ files: { other }, repos: { 'org/m': { commit: COMMIT, files } } });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const fetch = (from: string, more: Partial<DownloadOptions> = {}): Promise<DownloadReport> =>
    download({ from, to: join(home, 'file'), hfEndpoint: origin.url, strict: true, ...more });
  const always = (path: RegExp, fault: Fault): void => void origin.rules.push({ path, fault });
  const withoutTree = (): void => always(/\/tree\//, { do: 'status', status: 404 });
  const methods = (): string[] => origin.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`);

  it.each([
    ['a large one by the SHA-256 of its list', 'hf:org/m/onnx/model.onnx', large],
    ['a small one by the name that git gives it', 'hf:org/m/config.json@main', small],
    ['one whose name holds what URLs and revisions mean something by', 'hf:org/m/a@b ?#%+[x].json@main', small],
    ['one whose name holds an @, with main left out', 'hf:org/m/a@b ?#%+[x].json@', small],
  ])('proves %s', async (_what, from, bytes) => {
    expect(await fetch(from)).toMatchObject({ verified: true, sha256: sha256Of(bytes), sizeBytes: bytes.length });
  });

  it('is not fetched again when the file here has that digest', async () => {
    await fetch('hf:org/m/onnx/model.onnx');
    origin.requests.splice(0);
    expect(await fetch('hf:org/m/onnx/model.onnx')).toMatchObject({ outcome: 'cache_hit', verified: true });
    expect(methods()).toEqual(['GET /api/models/org/m/tree/main/onnx']);
  });

  it.each([
    ['a large one', 'hf:org/m/onnx/model.onnx'],
    ['a small one', 'hf:org/m/config.json'],
  ])('F35 proves %s by its headers where a mirror has no lists', async (_what, from) => {
    withoutTree();
    expect(await fetch(from)).toMatchObject({ verified: true });
  });

  it('asks by a GET of one byte where HEAD is refused', async () => {
    withoutTree();
    origin.rules.unshift({ method: 'HEAD', fault: { do: 'status', status: 405 } });
    expect(await fetch('hf:org/m/onnx/model.onnx')).toMatchObject({ verified: true });
    expect(origin.requests.some(({ method, range }) => method === 'GET' && range === 'bytes=0-0')).toBe(true);
  });

  it('reads the headers of the hub and not those of the content host behind it', async () => {
    const cdn = await startOrigin({ repos: { 'org/m': { commit: COMMIT, files } } });
    const http = quickHttp();
    const hub = await startOrigin({ repos: { 'org/m': { commit: COMMIT, files } } }, [], { cdn: cdn.url });
    try {
      hub.rules.push({ path: '/api/models/org/m/tree/main/onnx', fault: { do: 'status', status: 404 } });
      const at = {
        http,
        endpoint: hub.url,
        repo: 'org/m',
        repoType: 'model',
        revision: 'main',
        trusted: true,
      } as const;
      const { signal } = new AbortController();
      const facts = await hubFacts(at, 'onnx/model.onnx', { signal });
      expect(facts).toEqual({ sizeBytes: large.length, digests: { sha256: sha256Of(large) } });
      expect(cdn.requests).toEqual([]);
    } finally {
      http.close();
      await hub.close();
      await cdn.close();
    }
  });

  it('F35 is unverified only where the hub has neither', async () => {
    withoutTree();
    always(/resolve/, { do: 'headers', set: { etag: '"64fe-1"', 'x-linked-etag': null } });
    await expect(fetch('hf:org/m/onnx/model.onnx')).rejects.toMatchObject({ kind: 'unproven' });
    expect(await fetch('hf:org/m/onnx/model.onnx', { strict: false })).toMatchObject({ verified: false });
  });

  it('an ETag of a server that names no commit proves nothing', async () => {
    withoutTree();
    const etag = `"${gitBlobSha1(other)}"`;
    always(/resolve/, { do: 'headers', set: { etag, 'x-linked-etag': null, 'x-repo-commit': null } });
    expect(await fetch('hf:org/m/config.json', { strict: false })).toMatchObject({ verified: false });
  });

  it('F10 F35 believes the list before the headers, and the bytes before both', async () => {
    always(/resolve/, { do: 'headers', set: { 'x-linked-etag': `"${sha256Of(other)}"` } });
    expect(await fetch('hf:org/m/onnx/model.onnx')).toMatchObject({ verified: true, sha256: sha256Of(large) });
    withoutTree();
    await expect(fetch('hf:org/m/onnx/model.onnx', { to: join(home, 'b') })).rejects.toThrow(sha256Of(other));
  });

  it('a digest in the options replaces that of the hub, which is not asked', async () => {
    always(/tree|resolve/, { do: 'headers', set: { 'x-linked-etag': `"${sha256Of(other)}"` } });
    expect(await fetch('hf:org/m/onnx/model.onnx', { digests: { sha256: sha256Of(large) } })).toMatchObject({
      verified: true,
    });
    expect(methods().filter((line) => line.includes('/api/'))).toEqual([]);
    await expect(
      fetch('hf:org/m/onnx/model.onnx', { digests: { sha256: sha256Of(other) }, to: join(home, 'b') }),
    ).rejects.toThrow(sha256Of(other));
  });

  it('a hub that is away for a moment is not taken for one without digests', async () => {
    withoutTree();
    origin.rules.unshift({ method: 'HEAD', fault: { do: 'status', status: 503 }, times: 1 });
    expect(await fetch('hf:org/m/onnx/model.onnx')).toMatchObject({ verified: true });
  });

  it('the refusal of the hub is reported', async () => {
    await expect(fetch('hf:org/m/none.json', { strict: false })).rejects.toThrow('no such file in this revision');
    await expect(fetch('hf:org/none/x.json', { strict: false })).rejects.toThrow('no such repository');
  });

  it.each(['blob', 'resolve', 'raw'])(
    'F34 a /%s/ URL of the configured hub is that file, and the token goes along',
    async (view) => {
      const url = `${origin.url}/org/m/${view}/main/onnx/model.onnx?download=true`;
      expect(await fetch(url, { hfToken: 'hf_secret' })).toMatchObject({ verified: true });
      expect(origin.requests.every(({ headers }) => headers['authorization'] === 'Bearer hf_secret')).toBe(true);
      expect(await readFile(join(home, 'file'))).toEqual(large);
    },
  );

  it('F34 the token does not go to a mirror that is no hub, and goes to one that is', async () => {
    const stranger = await startOrigin({ files: { other: large } });
    try {
      const digests = { sha256: sha256Of(large) };
      const to = join(home, 'b');
      await fetch(`${stranger.url}/files/other`, { digests, hfToken: 'hf_secret' });
      expect(stranger.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
      const mirrors = [`${origin.url}/org/m/resolve/main/onnx/model.onnx`];
      stranger.serve({});
      expect(await fetch(`${stranger.url}/files/x`, { to, digests, mirrors, hfToken: 'hf_secret' })).toMatchObject({
        verified: true,
      });
      expect(origin.requests.every(({ headers }) => headers['authorization'] === 'Bearer hf_secret')).toBe(true);
    } finally {
      await stranger.close();
    }
  });
});
