import { describe, expect, it } from '@jest/globals';
import { pageOrigin } from '#core/settings/setting-kinds';
import { ask, cleansUp, hubView, publishBytes, served } from './serve-kit.ts';

cleansUp();

const APP = 'https://app.example';
const ALLOWS = 'access-control-allow-origin';

/** A server with one file. @returns the address of the file by its name at a hub, and by its CID */
async function serverFor(origins: readonly string[], tokens: readonly string[] = []) {
  const { store, url } = await served({ origins, access: { tokens, networks: [] } });
  const { cid } = await publishBytes(store, Buffer.from('{"a":1}'), { view: hubView('config.json') });
  return { byName: `${url}/acme/tiny/resolve/main/config.json`, byCid: `${url}/ipfs/${cid}` };
}

describe('web pages', () => {
  it('EX5 are given nothing unless their origin may read', async () => {
    for (const [origins, origin] of [
      [[], APP],
      [[APP], 'https://other.example'],
      [[APP], undefined],
    ] as const) {
      const { byName, byCid } = await serverFor(origins);
      for (const url of [byName, byCid]) {
        const { status, headers } = await ask(url, origin === undefined ? {} : { headers: { origin } });
        expect([status, headers[ALLOWS]]).toEqual([200, undefined]);
      }
    }
  });

  it('EX5 of an origin that may read see the bytes and the headers that clients need', async () => {
    const { byName, byCid } = await serverFor(['http://localhost:5173', APP]);
    for (const url of [byName, byCid]) {
      const { headers } = await ask(url, { headers: { origin: APP, range: 'bytes=0-0' } });
      expect(headers).toMatchObject({ [ALLOWS]: APP, vary: 'Origin', 'content-range': 'bytes 0-0/7' });
      const exposed = `${headers['access-control-expose-headers']}`;
      for (const name of ['X-Repo-Commit', 'ETag', 'Content-Range']) expect(exposed).toContain(name);
    }
  });

  it('EX5 of everywhere may read where * says so, errors as well', async () => {
    const { byCid } = await serverFor(['*']);
    for (const path of ['', '/below']) {
      const { headers } = await ask(`${byCid}${path}`, { headers: { origin: APP } });
      expect([headers[ALLOWS], headers.vary]).toEqual(['*', undefined]);
    }
  });

  it('EX5 may ask before they send a token, and read nothing without it', async () => {
    const { byName } = await serverFor([APP], ['right']);
    const before = await ask(byName, {
      method: 'OPTIONS',
      headers: { origin: APP, 'access-control-request-headers': 'authorization,range' },
    });
    expect([before.status, before.headers[ALLOWS]]).toEqual([204, APP]);
    expect(`${before.headers['access-control-allow-headers']}`).toMatch(/Authorization.*Range/);
    expect((await ask(byName, { headers: { origin: APP } })).status).toBe(401);
    const told = await ask(byName, { headers: { origin: APP, authorization: 'Bearer right' } });
    expect([told.status, told.body.toString()]).toEqual([200, '{"a":1}']);
  });
});

describe('HAULIER_SERVE_ORIGINS', () => {
  it.each([APP, 'http://localhost:5173', '*'])('EX5 takes %s', (text) => {
    expect(pageOrigin(text)).toBe(text);
  });

  it.each([`${APP}/`, 'app.example', `${APP}/page`, 'null'])('EX5 refuses %s', (text) => {
    expect(() => pageOrigin(text)).toThrow('write the origin of web pages without a path');
  });
});
