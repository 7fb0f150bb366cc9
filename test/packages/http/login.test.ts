import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { requestBytes } from '#http/small-request';
import { basicAuthorization } from '#http/user-info';
import { LOOPBACK_TLS } from '../../helpers/origin/origin-tls.ts';
import { startRawServer, type RawServer } from '../../helpers/origin/raw-server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function client(): Http {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']), ca: LOOPBACK_TLS.cert });
  closers.push(() => http.close());
  return http;
}

/** @param redirect where the first request is sent; without it, every request is answered */
async function serve(redirect?: string, tls = false): Promise<RawServer> {
  const server = await startRawServer(
    (head, index) =>
      redirect !== undefined && index === 0
        ? { pieces: [`HTTP/1.1 302 Found\r\nLocation: ${redirect}\r\nContent-Length: 0\r\n\r\n`] }
        : { pieces: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'] },
    { tls },
  );
  closers.push(() => server.close());
  return server;
}

const loginIn = (head: string): string | undefined => /^authorization: (.*)$/im.exec(head)?.[1];
const BASIC = `Basic ${Buffer.from('me:pw').toString('base64')}`;
const withLogin = (url: string): string => url.replace('://', '://me:pw@');

const ask = (url: string, headers: Record<string, string> = {}) =>
  requestBytes(client(), { url, source: 'test', trusted: true, headers }, 100, new AbortController().signal);

describe('a login in a URL', () => {
  it.each([
    ['http://me:pw@h/', 'me:pw'],
    ['http://me@h/', 'me:'],
    ['http://:pw@h/', ':pw'],
    ['http://a%40b:p%3A%2F%25@h/', 'a@b:p:/%'],
    ['http://%C3%A9:ü@h/', 'é:ü'],
    ['http://50%:x@h/', '50%:x'],
  ])('D18 is read from %s', (url, login) => {
    const basic = basicAuthorization(new URL(url))!;
    expect(Buffer.from(basic.replace('Basic ', ''), 'base64').toString()).toBe(login);
  });

  it('D18 is sent as Basic, and not in the path or the host', async () => {
    const server = await serve();
    const { response } = await ask(withLogin(`${server.url}/f?a=1`));
    expect(loginIn(server.requests[0]!)).toBe(BASIC);
    expect(server.requests[0]).toMatch(/^GET \/f\?a=1 HTTP/);
    expect(server.requests[0]).not.toContain('me:pw');
    expect(response.url.href).toBe(`${server.url}/f?a=1`);
  });

  it('D18 goes behind an authorization that the caller gives', async () => {
    const server = await serve();
    await ask(withLogin(server.url), { authorization: 'Bearer t' });
    expect(loginIn(server.requests[0]!)).toBe('Bearer t');
  });

  it('D18 is sent along a redirect within its origin', async () => {
    const server = await serve('/other');
    await ask(withLogin(`${server.url}/f`));
    expect(server.requests.map(loginIn)).toEqual([BASIC, BASIC]);
  });

  it('D18 D10 is not sent to another port, nor to another scheme', async () => {
    for (const tls of [false, true]) {
      const other = await serve(undefined, tls);
      const server = await serve(`${other.url}/f`);
      await ask(withLogin(`${server.url}/f`));
      expect(server.requests.map(loginIn)).toEqual([BASIC]);
      expect(other.requests.map(loginIn)).toEqual([undefined]);
    }
  });

  it('D18 in a Location is not sent at all', async () => {
    const other = await serve();
    const server = await serve(withLogin(`${other.url}/f`));
    await ask(server.url);
    expect(other.requests.map(loginIn)).toEqual([undefined]);
  });
});
