import { beforeAll, describe, expect, it } from '@jest/globals';
import { ask, cleansUp, hubView, jsonOf, publishBytes, served, type Answer, type Served } from './serve-kit.ts';

cleansUp();

let server: Served;
beforeAll(async () => {
  server = await served();
  for (const path of ['a.json', 'b.json'])
    await publishBytes(server.store, Buffer.from(path), { view: hubView(path, { versionFileCount: 2 }) });
});

describe('a request behind a proxy', () => {
  const PROXIED = { host: 'models.example', 'x-forwarded-proto': 'https' };

  it('EX5 is answered with links to the proxy, by TLS where the client came by TLS', async () => {
    const path = '/api/models/acme/tiny/tree/main';
    const { headers } = await ask(`${server.url}${path}?limit=1`, { headers: PROXIED });
    expect(headers.link).toBe(`<https://models.example${path}?limit=1&cursor=1>; rel="next"`);
    const plain = await ask(`${server.url}${path}?limit=1`, { headers: { host: 'models.example' } });
    expect(plain.headers.link).toBe(`<http://models.example${path}?limit=1&cursor=1>; rel="next"`);
  });

  it('EX5 is told the address of the proxy as that of the server', async () => {
    expect(jsonOf(await ask(server.url, { headers: PROXIED }))).toMatchObject({ hub: 'https://models.example' });
  });
});

describe('a request that names no host', () => {
  it.each([undefined, 'not a host', '[::1'])('EX5 is answered with the address of the server, for %j', async (host) => {
    const url = `${server.url}/api/models/acme/tiny/tree/main?limit=1`;
    const { headers } = await ask(url, { headers: host === undefined ? {} : { host } });
    expect(headers.link).toContain(`<${server.url}/api/`);
    const providers = await ask(`${server.url}/routing/v1/providers/bafkqaaa`, {
      headers: host === undefined ? {} : { host },
    });
    expect(providers.status).toBe(200);
  });
});

describe('a request that would change something', () => {
  it.each([
    ['PUT', '/acme/tiny/resolve/main/a.json'],
    ['DELETE', '/acme/tiny/resolve/main/a.json'],
    ['POST', '/api/models/acme/tiny'],
  ])('EX5 is refused: %s %s', async (method, path) => {
    const { status, headers } = await ask(`${server.url}${path}`, { method });
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
  });
});

describe('a client that asks for what is not served', () => {
  const asks = (path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> =>
    ask(`${server.url}${path}`, { method, headers });

  it.each([
    ['git', 'GET', '/acme/tiny/info/refs?service=git-upload-pack', /^git is not served here: /],
    ['git', 'POST', '/datasets/acme/rows.git/git-upload-pack', /^git is not served here: /],
    ['git-lfs', 'POST', '/acme/tiny.git/info/lfs/objects/batch', /^{"message":"git-lfs is not served here: /],
    ['git-lfs', 'GET', '/acme/tiny.git/info/lfs/locks', /^{"message":"git-lfs is not served here: /],
  ])('EX5 is told so in the words that %s shows: %s %s', async (_, method, path, text) => {
    const { status, body } = await asks(path, method);
    expect([status, body.toString()]).toEqual([501, expect.stringMatching(text)]);
  });

  it.each(['/api/repos/create', '/api/models/acme/tiny/preupload/main', '/api/models/acme/tiny/commit/main', '/'])(
    'EX5 is told that nothing is taken: POST %s',
    async (path) => {
      const { status, headers } = await asks(path, 'POST');
      expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
      expect(headers['x-error-message']).toBe('POST is not served: this server gives files and takes none');
    },
  );

  it.each(['/api/models?search=tiny', '/api/models/acme/tiny/commits/main', '/api/v1/models/acme/tiny/repo'])(
    'EX5 is told which part of a hub is not served: %s',
    async (path) => {
      const answer = await asks(path);
      const error = `${path.split('?')[0]} is not served here: files and descriptions of repositories are`;
      expect([answer.status, jsonOf(answer), answer.headers['x-error-code']]).toEqual([404, { error }, undefined]);
    },
  );

  it('EX5 gets no list of GGUF files in the place of a manifest of an image', async () => {
    const accept = 'application/vnd.docker.distribution.manifest.v2+json';
    const { status, body } = await asks('/v2/acme/tiny/manifests/latest', 'GET', { accept });
    expect([status, body.toString()]).toEqual([406, expect.stringContaining('manifests of images are not served')]);
    expect((await asks('/v2/acme/tiny/manifests/latest')).status).toBe(404);
  });
});
