import { beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { sha256Of } from '../store/temp-store.ts';
import {
  ask,
  cleansUp,
  hubView,
  HUB_COMMIT,
  jsonOf,
  numbered,
  publishBytes,
  served,
  type Served,
} from './serve-kit.ts';

cleansUp();

const WEIGHTS = numbered(3 * MIB + 5);
const CONFIG = Buffer.from('{"model_type":"tiny"}');
let server: Served;

beforeAll(async () => {
  server = await served({
    repos: [{ repo: 'lan/tiny', model: 'tiny' }],
    privateModels: ['secret*'],
    access: { tokens: ['reader-token'], networks: ['127.0.0.0/8'] },
  });
  const { store } = server;
  const three = { versionFileCount: 3 };
  await publishBytes(store, WEIGHTS, { view: hubView('onnx/model.onnx', three) });
  await publishBytes(store, CONFIG, { view: hubView('config.json', three) });
  await publishBytes(store, Buffer.alloc(0), { view: hubView('empty+name.txt', three) });
  const secret = hubView('a.bin', { model: 'secret-one' });
  await publishBytes(store, Buffer.from('secret'), {
    view: { ...secret, sources: [{ kind: 'huggingface', repo: 'acme/secret', revision: HUB_COMMIT, path: 'a.bin' }] },
  });
});

const file = (path: string, revision = 'main', repo = 'acme/tiny'): string =>
  `${server.url}/${repo}/resolve/${revision}/${path}`;

describe('files of a repository', () => {
  it.each(['main', 'HEAD', HUB_COMMIT, '1'])(
    'EX5 F15 are served at the revision %s with one commit',
    async (revision) => {
      const { status, headers, body } = await ask(file('onnx/model.onnx', revision));
      expect([status, headers['x-repo-commit']]).toEqual([200, HUB_COMMIT]);
      expect(body.equals(WEIGHTS)).toBe(true);
    },
  );

  it('EX5 have in the answer to a HEAD all that clients read', async () => {
    const { headers } = await ask(file('onnx/model.onnx'), { method: 'HEAD' });
    const sha256 = sha256Of(WEIGHTS);
    expect(headers).toMatchObject({
      'x-repo-commit': HUB_COMMIT,
      etag: `"${sha256}"`,
      'x-linked-etag': `"${sha256}"`,
      'x-linked-size': `${WEIGHTS.length}`,
      digest: `SHA-256=${Buffer.from(sha256, 'hex').toString('base64')}`,
      'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
      'content-length': `${WEIGHTS.length}`,
      'accept-ranges': 'bytes',
    });
    expect(headers['x-xet-hash']).toBeUndefined();
  });

  it('EX5 are a 200 to If-None-Match: hf-hub would keep the old commit of a branch after a 304', async () => {
    const headers = { 'if-none-match': `"${sha256Of(WEIGHTS)}"` };
    for (const method of ['HEAD', 'GET']) {
      const answer = await ask(file('onnx/model.onnx'), { method, headers });
      expect([method, answer.status, answer.headers['x-repo-commit']]).toEqual([method, 200, HUB_COMMIT]);
    }
  });

  it.each([
    ['bytes=0-0', 'bytes 0-0', WEIGHTS.subarray(0, 1)],
    ['bytes=3145728-', 'bytes 3145728-3145732', WEIGHTS.subarray(3145728)],
    ['bytes=-5', 'bytes 3145728-3145732', WEIGHTS.subarray(3145728)],
    ['bytes=-9999999', 'bytes 0-3145732', WEIGHTS],
    ['bytes=3145730-3145733', 'bytes 3145730-3145732', WEIGHTS.subarray(3145730)],
  ])('EX5 answer the range %s, its end clamped', async (range, contentRange, bytes) => {
    const { status, headers, body } = await ask(file('onnx/model.onnx'), { headers: { range } });
    expect([status, headers['content-range']]).toEqual([206, `${contentRange}/${WEIGHTS.length}`]);
    expect(body.equals(bytes)).toBe(true);
  });

  it('EX5 answer several ranges as multipart/byteranges', async () => {
    const { status, headers, body } = await ask(file('onnx/model.onnx'), { headers: { range: 'bytes=0-3,100-104' } });
    expect([status, Number(headers['content-length'])]).toEqual([206, body.length]);
    const boundary = /boundary=(\S+)/.exec(headers['content-type']!)![1]!;
    const text = body.toString('latin1');
    expect(text.split(`--${boundary}`)).toHaveLength(4);
    expect(text).toContain(`content-range: bytes 100-104/${WEIGHTS.length}`);
    expect(text).toContain(WEIGHTS.subarray(100, 105).toString('latin1'));
  });

  it.each([
    ['bytes=9999999-', 416],
    ['bytes=5-2', 200],
    ['lines=1-2', 200],
    [`bytes=${Array.from({ length: 40 }, (_, at) => `${at * 2}-${at * 2}`).join(',')}`, 200],
    ['bytes=0-10,5-20', 200],
  ])('EX5 F19 answer the Range %s with %d', async (range, status) => {
    expect((await ask(file('onnx/model.onnx'), { headers: { range } })).status).toBe(status);
  });

  it('EX5 ignore a range of another version', async () => {
    const headers = { range: 'bytes=0-0', 'if-range': '"another"' };
    expect((await ask(file('onnx/model.onnx'), { headers })).status).toBe(200);
  });

  it('EX5 that are empty are a 200 with the total of nothing to a range, as JavaScript clients need it', async () => {
    const { status, headers } = await ask(file('empty+name.txt'), { headers: { range: 'bytes=0-0' } });
    expect([status, headers['content-range'], headers['content-length']]).toEqual([200, 'bytes */0', '0']);
  });

  it.each(['//acme/tiny/resolve/main/config.json', '/acme/tiny/raw/main/config.json?download=true'])(
    'EX5 are found at %s as well',
    async (path) => {
      expect((await ask(`${server.url}${path}`)).body).toEqual(CONFIG);
    },
  );

  it('EX5 have the name that configuration gives a model, too', async () => {
    const { headers, body } = await ask(file('config.json', 'main', 'lan/tiny'));
    expect(body).toEqual(CONFIG);
    expect(headers['x-repo-commit']).toMatch(/^[0-9a-f]{40}$/);
  });

  it.each([
    ['acme/tiny', 'main', 'absent.bin', 404, 'EntryNotFound'],
    ['acme/tiny', 'dev', 'config.json', 404, 'RevisionNotFound'],
    ['acme/none', 'main', 'config.json', 401, 'RepoNotFound'],
  ])('EX5 F15 of %s at %s named %s are refused with %d %s', async (repo, revision, path, status, code) => {
    const { headers, ...answer } = await ask(file(path, revision, repo), { method: 'HEAD' });
    expect([answer.status, headers['x-error-code']]).toEqual([status, code]);
    expect(headers['x-repo-commit']).toBe(code === 'EntryNotFound' ? HUB_COMMIT : undefined);
  });
});

describe('descriptions of a repository', () => {
  it.each(['/api/models/acme/tiny', '/api/models/acme/tiny/revision/main?expand=sha'])(
    'EX5 F15 at %s have the fields of all ages',
    async (path) => {
      expect(jsonOf(await ask(`${server.url}${path}`))).toMatchObject({
        ...{ id: 'acme/tiny', modelId: 'acme/tiny', sha: HUB_COMMIT, private: false, gated: false },
        siblings: [{ rfilename: 'config.json' }, { rfilename: 'empty+name.txt' }, { rfilename: 'onnx/model.onnx' }],
      });
    },
  );

  it('EX5 list the tree with folders, sizes and digests, in pages with absolute links', async () => {
    const url = `${server.url}/api/models/acme/tiny/tree/${HUB_COMMIT}?recursive=True&expand=False`;
    const entries = jsonOf(await ask(url)) as { path: string; size: number; lfs?: { oid: string } }[];
    expect(entries.map(({ path }) => path)).toEqual(['config.json', 'empty+name.txt', 'onnx', 'onnx/model.onnx']);
    expect(entries[3]).toMatchObject({ type: 'file', size: WEIGHTS.length, lfs: { oid: sha256Of(WEIGHTS) } });
    const first = await ask(`${url}&limit=2`);
    const next = /<([^>]+)>; rel="next"/.exec(String(first.headers.link))![1]!;
    expect(next).toMatch(`${server.url}/api/`);
    expect((jsonOf(await ask(next)) as { path: string }[]).map(({ path }) => path)).toEqual([
      'onnx',
      'onnx/model.onnx',
    ]);
  });

  it('EX5 list one folder, and refuse one that is not there', async () => {
    const tree = `${server.url}/api/models/acme/tiny/tree/main`;
    expect(jsonOf(await ask(`${tree}/onnx`))).toMatchObject([{ path: 'onnx/model.onnx' }]);
    const missing = await ask(`${tree}/additional_chat_templates?recursive=false`);
    expect([missing.status, missing.headers['x-error-code']]).toEqual([404, 'EntryNotFound']);
  });

  it.each([
    ['application/json', '{"paths":["config.json","none"],"expand":true}'],
    ['application/x-www-form-urlencoded', 'paths=config.json&paths=none&expand=True'],
  ])('EX5 tell single paths, asked as %s', async (type, body) => {
    const url = `${server.url}/api/models/acme/tiny/paths-info/main`;
    const answer = await ask(url, { method: 'POST', headers: { 'content-type': type }, body });
    expect(jsonOf(answer)).toMatchObject([
      { path: 'config.json', size: CONFIG.length, lastCommit: { id: HUB_COMMIT } },
    ]);
  });

  it('EX5 tell branches and tags with commits', async () => {
    expect(jsonOf(await ask(`${server.url}/api/models/acme/tiny/refs?include_prs=1`))).toMatchObject({
      pullRequests: [],
      branches: [{ name: 'main', ref: 'refs/heads/main', targetCommit: HUB_COMMIT }],
      tags: [{ name: '1', targetCommit: HUB_COMMIT }],
    });
  });

  it.each([
    ['refs/pr/3', 'pullRequests', '3'],
    ['refs/convert/onnx', 'converts', 'onnx'],
  ])('EX5 tell the revision %s among its %s', async (revision, kind, name) => {
    const { store, url } = await served();
    const view = hubView('a.bin');
    const sources = [{ kind: 'huggingface' as const, repo: 'acme/tiny', revision, path: 'a.bin' }];
    await publishBytes(store, Buffer.from('a'), { view: { ...view, sources } });
    const answer = jsonOf(await ask(`${url}/api/models/acme/tiny/refs`)) as Record<string, unknown>;
    expect(answer[kind]).toEqual([{ name, ref: revision, targetCommit: expect.stringMatching(/^[0-9a-f]{40}$/) }]);
  });

  it.each([
    ['latest', 'm-Q4_K_M.gguf'],
    ['Q8_0', 'm-Q8_0.gguf'],
    ['q4_k_m', 'm-Q4_K_M.gguf'],
  ])('EX5 tell which GGUF file the tag %s means', async (tag, rfilename) => {
    const { store, url } = await served();
    for (const path of ['m-Q8_0.gguf', 'm-Q4_K_M.gguf'])
      await publishBytes(store, Buffer.from(path), { view: hubView(path, { versionFileCount: 2 }) });
    const answer = await ask(`${url}/v2/acme/tiny/manifests/${tag}`);
    expect(jsonOf(answer)).toEqual({ ggufFile: { rfilename, size: rfilename.length } });
    expect((await ask(`${url}/v2/acme/tiny/manifests/Q2_K`)).headers['x-error-code']).toBe('EntryNotFound');
  });

  it('EX5 know no users', async () => {
    expect((await ask(`${server.url}/api/whoami-v2`)).status).toBe(401);
  });

  it('EX5 of a version that is still coming are not given, while its files that are here are', async () => {
    const commit = 'f'.repeat(40);
    const view = hubView('early.bin', { version: '2', versionFileCount: 2 });
    const sources = [{ kind: 'huggingface' as const, repo: 'acme/tiny', revision: commit, path: 'early.bin' }];
    await publishBytes(server.store, Buffer.from('early'), { view: { ...view, sources } });
    expect((await ask(`${server.url}/api/models/acme/tiny/revision/${commit}`)).headers['x-error-code']).toBe(
      'RevisionNotFound',
    );
    expect((await ask(file('early.bin', commit))).body.toString()).toBe('early');
  });
});

describe('who may read', () => {
  const secret = (): string => file('a.bin', 'main', 'acme/secret');
  const token = { authorization: 'Bearer reader-token' };

  it('EX5 sees private models only with a token, by name and by CID', async () => {
    expect((await ask(secret())).headers['x-error-code']).toBe('RepoNotFound');
    expect((await ask(secret(), { headers: token })).body.toString()).toBe('secret');
    const cid = (await server.store.look(sha256Of(Buffer.from('secret'))))!.cid!;
    for (const query of ['', '?format=raw', '?format=car']) {
      expect((await ask(`${server.url}/ipfs/${cid}${query}`)).status).toBe(404);
      expect((await ask(`${server.url}/ipfs/${cid}${query}`, { headers: token })).status).toBe(200);
    }
  });

  it('EX5 is not disturbed by the token of a hub', async () => {
    const headers = { authorization: 'Bearer hf_of_somewhere_else' };
    expect((await ask(file('config.json'), { headers })).status).toBe(200);
  });

  it('EX5 needs a token from another network', async () => {
    const { store } = server;
    const far = await served({ store, access: { tokens: ['reader-token'], networks: ['10.0.0.0/8'] } });
    const url = `${far.url}/acme/tiny/resolve/main/config.json`;
    expect((await ask(url)).status).toBe(401);
    expect((await ask(url, { headers: token })).body).toEqual(CONFIG);
  });

  it('EX5 may ask so often and is told when to come back', async () => {
    const { store } = server;
    const limited = await served({ store, limits: { requestsPerMinute: 2 } });
    const statuses = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await ask(`${limited.url}/`)).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect(Number((await ask(`${limited.url}/`)).headers['retry-after'])).toBeGreaterThan(0);
  });

  it('EX5 is counted', async () => {
    const counted: unknown[] = [];
    const { url } = await served({ store: server.store, onServed: (one) => counted.push(one) });
    const answer = await ask(`${url}/acme/tiny/resolve/main/config.json`);
    expect(answer.status).toBe(200);
    expect(counted).toMatchObject([{ kind: 'hub-file', status: 200, isWhole: true }]);
  });
});
