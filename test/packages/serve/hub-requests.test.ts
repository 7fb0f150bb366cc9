import { beforeAll, describe, expect, it } from '@jest/globals';
import { ask, cleansUp, hubView, jsonOf, publishBytes, served, type Served } from './serve-kit.ts';

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
