import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address-policy';
import type { Http, HttpOptions } from '#http/pool';
import { createHttp } from '#http/pool';
import type { HttpRequest } from '#http/request';
import type { SmallResponse } from '#http/small-request';
import { requestBytes } from '#http/small-request';
import { someBytes } from '../../helpers/origin-content.ts';
import type { Origin } from '../../helpers/origin.ts';
import { startOrigin } from '../../helpers/origin.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const open = async (...args: Parameters<typeof startOrigin>): Promise<Origin> => {
  const origin = await startOrigin(...args);
  closers.push(() => origin.close());
  return origin;
};

function client(options: HttpOptions = {}): Http {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']), ...options });
  closers.push(() => http.close());
  return http;
}

const get = (http: Http, url: string, more: Partial<HttpRequest> = {}): Promise<SmallResponse> =>
  requestBytes(http, { url, source: 'test', ...more }, 1e6, new AbortController().signal);

const resolveTo =
  (address: string): HttpOptions['resolve'] =>
  () =>
    Promise.resolve([{ address, family: 4 }]);

describe('following redirects', () => {
  it('HA5 HA8 reaches the end of a chain and remembers what the first answer said', async () => {
    const origin = await open(someBytes(10), [
      [
        { do: 'redirect-chain', hops: 3 },
        { do: 'headers', set: { 'x-linked-size': '10' } },
      ],
    ]);
    const { response, bytes } = await get(client(), `${origin.url}/files/x`);
    expect(bytes).toEqual(someBytes(10));
    expect(response).toMatchObject({ redirects: 4, status: 200, first: { status: 302 } });
    expect(response.first.headers['x-linked-size']).toBe('10');
  });

  it('D02 D03 HA6 ends loops and chains that are too long', async () => {
    const origin = await open(someBytes(10), [{ do: 'redirect-loop' }, { do: 'redirect-chain', hops: 20 }]);
    const http = client();
    await expect(get(http, `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'bad-response' });
    await expect(get(http, `${origin.url}/files/x`)).rejects.toMatchObject({ message: 'more than 10 redirects' });
    expect(origin.requests.length).toBeLessThan(16);
  });

  it('D06 D15 HA6 goes nowhere but to http and https', async () => {
    const origin = await open(someBytes(10), [
      { do: 'redirect', to: 'file:///etc/passwd' },
      { do: 'redirect-nowhere' },
    ]);
    const http = client();
    for (let i = 0; i < 2; i += 1)
      await expect(get(http, `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'bad-response' });
    await expect(get(http, 'ftp://127.0.0.1/x')).rejects.toMatchObject({ kind: 'bad-response' });
  });

  it('D10 HA4 sends credentials to the origin they are for and to no other', async () => {
    const cdn = await open(someBytes(10));
    const hub = await open(someBytes(10), [{ do: 'redirect', to: `${cdn.url}/files/x` }]);
    await get(client(), `${hub.url}/files/x`, { headers: { authorization: 'Bearer secret' } });
    expect(hub.requests[0]!.headers['authorization']).toBe('Bearer secret');
    expect(cdn.requests[0]!.headers['authorization']).toBeUndefined();
  });

  it('hands over the redirect itself where none is to be followed', async () => {
    const origin = await open(someBytes(10), [
      { do: 'redirect', to: '/elsewhere' },
      { do: 'redirect', to: '/elsewhere' },
    ]);
    const http = client();
    expect((await get(http, `${origin.url}/x`, { maxRedirects: 0 })).response.status).toBe(302);
    expect((await get(http, `${origin.url}/x`, { method: 'POST', body: '{}' })).response.status).toBe(302);
    expect(origin.requests[1]!.body).toBe('{}');
  });
});

describe('the address guard', () => {
  it('HA7 refuses loopback by literal and by name, before a connection', async () => {
    const origin = await open(someBytes(10));
    const http = client({ addressPolicy: parseAddressPolicy([]), resolve: resolveTo('127.0.0.1') });
    const refused = { kind: 'address-refused', message: expect.stringContaining('HAULIER_ALLOW_ADDRESSES') };
    await expect(get(http, origin.url)).rejects.toMatchObject(refused);
    await expect(get(http, `http://rebind.example:${origin.port}/`)).rejects.toMatchObject(refused);
    await expect(get(http, `http://localhost:${origin.port}/`)).rejects.toMatchObject(refused);
    await expect(get(http, `http://[::ffff:127.0.0.1]:${origin.port}/`)).rejects.toMatchObject(refused);
    await expect(get(http, `http://2130706433:${origin.port}/`)).rejects.toMatchObject(refused);
    expect(origin.connections()).toBe(0);
  });

  it('HA7 checks every hop: an allowed origin cannot lead to one that is not', async () => {
    const inner = await open(someBytes(10));
    const outer = await open(someBytes(10), [{ do: 'redirect', to: `${inner.url}/files/x` }]);
    const http = client({ addressPolicy: parseAddressPolicy([`127.0.0.1:${outer.port}`]) });
    await expect(get(http, `${outer.url}/files/x`)).rejects.toMatchObject({ kind: 'address-refused' });
    expect(inner.connections()).toBe(0);
  });

  it('HA7 does not question the address the operator typed, but the ones it leads to', async () => {
    const inner = await open(someBytes(10));
    const typed = await open(someBytes(10), [{ do: 'none' }, { do: 'redirect', to: `${inner.url}/files/x` }]);
    const http = client({ addressPolicy: parseAddressPolicy([]) });
    expect((await get(http, `${typed.url}/files/x`, { trusted: true })).bytes).toHaveLength(10);
    await expect(get(http, `${typed.url}/files/x`, { trusted: true })).rejects.toMatchObject({
      kind: 'address-refused',
    });
    await expect(get(http, `${typed.url}/files/x`)).rejects.toMatchObject({ kind: 'address-refused' });
  });

  it('E08 follows a typed gateway into its own subdomains', async () => {
    const origin = await open(someBytes(10));
    origin.faults.push({ do: 'redirect', to: `http://bafyfile.ipfs.localhost:${origin.port}/`, status: 301 });
    const http = client({ addressPolicy: parseAddressPolicy([]) });
    const { response } = await get(http, `http://localhost:${origin.port}/ipfs/bafyfile`, { trusted: true });
    expect(response.url.hostname).toBe('bafyfile.ipfs.localhost');
  });
});

describe('a proxy', () => {
  it('carries plain requests in absolute form and tunnels the others, with its own credentials only', async () => {
    const lines: string[] = [];
    const proxy = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (head) => {
        const text = head.toString('latin1');
        lines.push(text);
        const target = /^CONNECT ([^:]+):(\d+)/.exec(text);
        if (!target) return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        if (target[1] === 'refused.example') return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        const upstream = connect(Number(target[2]), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          socket.pipe(upstream).pipe(socket);
        });
        upstream.on('error', () => socket.destroy());
      });
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    closers.push(() => proxy.close());
    const url = `http://user:pass@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const http = client({ addressPolicy: parseAddressPolicy([]), proxy: { http: url, https: url } });

    expect((await get(http, 'http://hub.example/a?b=1')).bytes.toString()).toBe('ok');
    expect(lines[0]).toMatch(/^GET http:\/\/hub\.example\/a\?b=1 HTTP\/1\.1\r\n/);
    expect(lines[0]).toMatch(/\r\nhost: hub\.example\r\n/i);
    expect(lines[0]).toMatch(/\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n/i);
    await expect(get(http, 'https://refused.example/')).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('403'),
    });
    expect(lines[1]).toMatch(/^CONNECT refused\.example:443 HTTP\/1\.1\r\n/);
    await expect(get(http, 'https://127.0.0.1:9/')).rejects.toMatchObject({ kind: 'address-refused' });
    await expect(get(http, 'http://169.254.169.254/')).rejects.toMatchObject({ kind: 'address-refused' });
  });
});
