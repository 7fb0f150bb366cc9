import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { hubCommit, hubTree } from '#sources/hub/hub-api';
import { resolveUrl } from '#sources/hub/hub-url';
import { usableUntil } from '#sources/resolved-url';
import { huggingface } from '#sources/hub/huggingface';
import { SourceHealth } from '#sources/guards/source-health';
import type { Fault } from '../../../helpers/origin/origin-fault.ts';
import { gitBlobSha1, sha256Of } from '../../../helpers/origin/origin-content.ts';
import { collect } from '../collect.ts';
import type { Hub } from './hub-bench.ts';
import { BIG, COMMIT, part, SMALL, startHub } from './hub-bench.ts';

const never = new AbortController().signal;

describe('a file of a hub', () => {
  it('HN4 encodes its URL by segment and keeps the slashes', () => {
    const file = { endpoint: 'https://hub/', repo: 'org/m', revision: 'refs/pr/1', path: 'a b/ü.bin' };
    expect(resolveUrl({ ...file, repoType: 'model' })).toBe('https://hub/org/m/resolve/refs%2Fpr%2F1/a%20b/%C3%BC.bin');
    expect(resolveUrl({ ...file, repoType: 'dataset' })).toContain('https://hub/datasets/org/m/resolve/');
  });

  it('HN4 is named as its address is, a data set apart from a model of the same name', async () => {
    const { hub, http } = await startHub();
    const names = (['model', 'dataset'] as const).map((repoType) => {
      const file = { endpoint: hub.url, repo: 'org/m', repoType, revision: 'main', path: 'big.bin' };
      return huggingface({ http, file, trusted: true, logger: silentLogger }).name;
    });
    const { host } = new URL(hub.url);
    expect(names).toEqual([`${host}/org/m@main/big.bin`, `${host}/datasets/org/m@main/big.bin`]);
  });

  it('D10 HA1 HA8 resolves once, remembers the content host, and sends the token to the hub only', async () => {
    const { hub, cdn, source } = await startHub();
    const first = await collect(source, part(0, 1000));
    const second = await collect(source, part(1000, 2000));
    expect(Buffer.concat([first.bytes, second.bytes]).equals(BIG.subarray(0, 2000))).toBe(true);
    expect(first.head).toMatchObject({ revision: COMMIT, validator: { etag: `"${sha256Of(BIG)}"` } });
    expect(hub.requests).toHaveLength(1);
    expect(cdn.requests).toHaveLength(2);
    expect(hub.requests[0]!.headers['authorization']).toBe('Bearer hf_secret');
    expect(cdn.requests.map((request) => request.headers['authorization'])).toEqual([undefined, undefined]);
  });

  it('D07 HA2 resolves again when the content host refuses a remembered URL', async () => {
    const { hub, cdn, source } = await startHub();
    await collect(source, part(0, 1000));
    cdn.faults[1] = { do: 'status', status: 403 };
    const got = await collect(source, part(1000, 2000));
    expect(got.error).toBeUndefined();
    expect(got.bytes.equals(BIG.subarray(1000, 2000))).toBe(true);
    expect(hub.requests).toHaveLength(2);
  });

  it('D08 HA2 counts the second refusal', async () => {
    const { cdn, source } = await startHub();
    cdn.rules.push({ fault: { do: 'status', status: 403 } });
    const got = await collect(source, part(0, 1000));
    expect(got.error).toMatchObject({ kind: 'forbidden', httpStatus: 403 });
    expect(cdn.requests).toHaveLength(2);
  });

  it('F03 stays with the commit of the first answer', async () => {
    const { hub, source } = await startHub({ cdn: undefined });
    await collect(source, part(0, 10));
    await collect(source, part(10, 20));
    expect(hub.requests.map((request) => request.path.split('/')[4])).toEqual(['main', COMMIT]);
  });

  it('F01 F02 takes a file whose hub names neither commit nor ETag', async () => {
    const { hub, source } = await startHub({ cdn: undefined });
    hub.faults.push({ do: 'headers', set: { 'x-repo-commit': null, etag: null, 'x-linked-etag': null } });
    const got = await collect(source, part(0, 10));
    expect(got).toMatchObject({ error: undefined, head: { revision: undefined } });
  });

  it('HA8 refuses a file of another size before it asks the content host', async () => {
    const { source } = await startHub();
    const got = await collect(source, { range: { start: 0, end: 10 }, sizeBytes: 5 });
    expect(got).toMatchObject({
      error: { kind: 'size-mismatch', message: `has ${BIG.length} bytes, expected 5 bytes` },
      head: undefined,
    });
  });

  it.each([
    ['D12 a gated repository', 'GatedRepo', 403, 'forbidden', /gated.*HF_TOKEN/],
    ['D12 a gated repository by 401', 'GatedRepo', 401, 'forbidden', /gated/],
    ['D11 F07 a repository that is missing or private', 'RepoNotFound', 401, 'missing', /private.*HF_TOKEN/],
    ['a revision that is missing', 'RevisionNotFound', 404, 'missing', /no such revision/],
    ['F05 a file that is missing', 'EntryNotFound', 404, 'missing', /no such file/],
    ['D13 HA3 a token that is not accepted', '', 401, 'forbidden', /401/],
  ])('HA3 explains %s', async (_what, code, status, kind, message) => {
    const { hub, source } = await startHub();
    hub.faults.push({ do: 'status', status, headers: { 'x-error-code': code } });
    const got = await collect(source, part(0, 10));
    expect(got.error).toMatchObject({ kind, message: expect.stringMatching(message), httpStatus: status });
    expect(hub.requests).toHaveLength(1);
  });

  it('A33 HT3 waits for the reset of an empty bucket and a second, and names the bucket', async () => {
    const { hub, source } = await startHub({}, { health: new SourceHealth({ now: () => 0 }) });
    hub.rules.push({ fault: { do: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=55' } } });
    const { error } = await collect(source, part(0, 10));
    expect(error).toMatchObject({ kind: 'throttled', retryAfterMs: 56_000, bucket: 'resolvers' });
  });

  it('HA1 asks the logical URL again when the link is about to expire, before the content host refuses it', async () => {
    let now = Date.UTC(2026, 0, 1, 0, 58, 59);
    const { hub, cdn, source } = await startHub({}, { now: () => now });
    await collect(source, part(0, 10));
    await collect(source, part(10, 20));
    expect(hub.requests).toHaveLength(1);
    now += 1000;
    await collect(source, part(20, 30));
    expect(hub.requests).toHaveLength(2);
    expect(cdn.requests).toHaveLength(3);
  });

  it('HA2 asks the logical URL again when the content host of a remembered link is gone', async () => {
    const { hub, cdn, source } = await startHub();
    await collect(source, part(0, 10));
    await cdn.close();
    const cut = await collect(source, part(10, 20));
    expect(cut.error).toMatchObject({ kind: 'unreachable' });
    expect(hub.requests).toHaveLength(2);
  });

  it.each<Fault>([
    { do: 'status', status: 500 },
    { do: 'status', status: 503 },
    { do: 'status', status: 429 },
    { do: 'reset', afterBytes: 3 },
    { do: 'stall', afterBytes: 3 },
  ])('HA2 asks the logical URL after a failure of the content host: %j', async (fault) => {
    const { hub, cdn, source } = await startHub();
    await collect(source, part(0, 10));
    cdn.faults[1] = fault;
    expect((await collect(source, part(10, 20))).error).toBeDefined();
    expect(hub.requests).toHaveLength(1);
    expect((await collect(source, part(10, 20))).bytes.equals(BIG.subarray(10, 20))).toBe(true);
    expect(hub.requests).toHaveLength(2);
    await collect(source, part(20, 30));
    expect(hub.requests).toHaveLength(2);
  });

  it('HA2 does not remember a content host that broke off its first answer', async () => {
    const { hub, cdn, source } = await startHub();
    cdn.faults.push({ do: 'reset', afterBytes: 3 });
    expect((await collect(source, part(0, 10))).error).toBeDefined();
    await collect(source, part(0, 10));
    expect(hub.requests).toHaveLength(2);
  });

  it('HA1 remembers the content host of a request that we stopped ourselves', async () => {
    const { hub, cdn, source } = await startHub();
    await collect(source, part(0, 10));
    cdn.faults[1] = { do: 'stall', afterBytes: 3 };
    const stop = new AbortController();
    const sink = { head: () => undefined, write: () => stop.abort() };
    await expect(source.read(part(10, 20), sink, stop.signal)).rejects.toMatchObject({ kind: 'aborted' });
    await collect(source, part(10, 20));
    expect(hub.requests).toHaveLength(1);
  });

  it('F06 follows a repository that was renamed', async () => {
    const { hub, source } = await startHub({ cdn: undefined });
    hub.faults.push({ do: 'redirect', status: 307, to: '/org/m/resolve/main/big.bin?renamed=1' });
    expect((await collect(source, part(0, 10))).error).toBeUndefined();
    expect(hub.requests[1]!.headers['authorization']).toBe('Bearer hf_secret');
  });

  it('F12 warns once about a file that hubs refuse over plain HTTP', async () => {
    const warnings: string[] = [];
    const { http, hub } = await startHub();
    const file = { endpoint: hub.url, repo: 'org/m', repoType: 'model' as const, revision: 'main', path: 'big.bin' };
    const logger = { ...silentLogger, warn: (_fields: object, event: string) => void warnings.push(event) };
    const source = huggingface({ http, file, trusted: true, logger });
    await collect(source, { range: { start: 0, end: 1 }, sizeBytes: 60e9 });
    await collect(source, { range: { start: 0, end: 1 }, sizeBytes: 60e9 });
    expect(warnings).toEqual(['hub may refuse a file this long over plain HTTP']);
  });

  it('HA9 shows no token in its name and errors', async () => {
    const { cdn, source } = await startHub();
    cdn.rules.push({ fault: { do: 'status', status: 500 } });
    const { error } = await collect(source, part(0, 10));
    expect(JSON.stringify([source.name, source.origin, error, String(error)])).not.toMatch(
      /hf_secret|Signature=secret/,
    );
  });
});

describe('the life of a presigned URL', () => {
  const now = Date.UTC(2026, 0, 1, 0, 10);
  it.each([
    ['X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600', Date.UTC(2026, 0, 1, 0, 59)],
    ['X-Amz-Expires=3600', Date.UTC(2026, 0, 1, 1, 9)],
    ['Expires=1767226800&Signature=s', 1767226800_000 - 60_000],
    ['', Date.UTC(2026, 0, 1, 0, 15)],
  ])('HA1 of "%s" ends a minute before its expiry', (query, wanted) => {
    expect(usableUntil(new URL(`https://cdn/x?${query}`), now)).toBe(wanted);
  });
});

describe('the API of a hub', () => {
  const repoOf = ({ http, hub }: Hub, repo = 'org/m') => ({
    http,
    endpoint: hub.url,
    repo,
    repoType: 'model' as const,
    revision: 'main',
    token: 'hf_secret',
    trusted: true,
  });

  it('F09 lists files page by page with sizes and digests, and takes nothing from xet', async () => {
    const hub = await startHub({ treePageSize: 1 });
    expect(await hubTree(repoOf(hub), never)).toEqual([
      { path: 'big.bin', sizeBytes: BIG.length, sha256: sha256Of(BIG), gitSha1: undefined },
      { path: 'config.json', sizeBytes: SMALL.length, sha256: undefined, gitSha1: gitBlobSha1(SMALL) },
    ]);
    expect(hub.hub.requests).toHaveLength(2);
  });

  it('finds the commit of a branch', async () => {
    const hub = await startHub();
    expect(await hubCommit(repoOf(hub), never)).toBe(COMMIT);
  });

  it('says what is missing', async () => {
    const hub = await startHub();
    await expect(hubCommit(repoOf(hub, 'org/none'), never)).rejects.toMatchObject({ kind: 'missing' });
  });

  it('F31 follows the absolute links of a hub that a mirror passes on, at the mirror itself', async () => {
    const hub = await startHub();
    const [all, requests] = [await hubTree(repoOf(hub), never), hub.hub.requests];
    const query = 'recursive=true&expand=false&limit=1&cursor=0';
    const link = `<https://huggingface.co/api/models/org/m/tree/main?${query}>; rel="first next"; title="a, b", <https://x/>; rel=prev`;
    hub.hub.faults.push(...Array.from({ length: requests.length }, () => []), { do: 'headers', set: { link } });
    expect((await hubTree(repoOf(hub), never)).length).toBe(2 * all.length);
    expect(requests.at(-1)?.path).toBe(`/api/models/org/m/tree/main?${query}`);
  });

  it('D10 does not follow a page to another host with the token', async () => {
    const hub = await startHub();
    hub.hub.faults.push({ do: 'headers', set: { link: '<http://evil.example/next>; rel="next"' } });
    await expect(hubTree(repoOf(hub), never)).rejects.toMatchObject({ kind: 'bad-response' });
  });
});
