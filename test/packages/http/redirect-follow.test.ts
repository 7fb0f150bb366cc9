import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { Http, HttpOptions } from '#http/pool';
import { createHttp } from '#http/pool';
import type { HttpRequest } from '#http/request';
import type { SmallResponse } from '#http/small-request';
import { requestBytes } from '#http/small-request';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { LOOPBACK_TLS } from '../../helpers/origin/origin-tls.ts';
import type { Origin } from '../../helpers/origin/origin.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';

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

const never = new AbortController().signal;

const get = (http: Http, url: string, more: Partial<HttpRequest> = {}): Promise<SmallResponse> =>
  requestBytes(http, { url, source: 'test', ...more }, 1e6, never);

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

/** A real proxy: it connects where CONNECT says, by the names that it knows itself, and answers plain requests with `plain`. */
async function startProxy(plain: (head: string) => string): Promise<{ url: string; lines: string[]; port: number }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (head) => {
      const text = head.toString('latin1');
      lines.push(text);
      const target = /^CONNECT ([^:]+):(\d+)/.exec(text);
      if (!target) return void socket.end(plain(text));
      if (target[1] === 'refused.example') return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      const upstream = connect(Number(target[2]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://user:pass@127.0.0.1:${port}`, lines, port };
}

describe('a proxy', () => {
  const OK = (): string => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

  it('carries plain requests in absolute form and tunnels the others, with its own credentials only', async () => {
    const { url, lines } = await startProxy(OK);
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
    await expect(get(http, 'http://localhost:9/')).rejects.toMatchObject({ kind: 'address-refused' });
    await expect(get(http, 'https://a.localhost.:9/')).rejects.toMatchObject({ kind: 'address-refused' });
    expect(lines).toHaveLength(2);
  });

  it('tunnels TLS to the origin: the bytes are whole, the tunnel is used again, and the proxy learns no secret', async () => {
    const content = someBytes(3_000_000);
    const origin = await open(content, [], { tls: LOOPBACK_TLS });
    const { url, lines } = await startProxy(OK);
    const options = { addressPolicy: parseAddressPolicy([`localhost:${origin.port}`]), ca: LOOPBACK_TLS.cert };
    const http = client({ ...options, proxy: { https: url } });
    const headers = { authorization: 'Bearer secret', range: 'bytes=1000000-1999999' };
    for (let i = 0; i < 2; i += 1) {
      const { bytes, response } = await get(http, `https://localhost:${origin.port}/files/x`, { headers });
      expect(response.status).toBe(206);
      expect(bytes.equals(content.subarray(1_000_000, 2_000_000))).toBe(true);
    }
    expect(origin.requests[0]!.headers).toMatchObject({
      authorization: 'Bearer secret',
      'accept-encoding': 'identity',
    });
    expect(origin.requests[0]!.headers['proxy-authorization']).toBeUndefined();
    expect(origin.connections()).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^CONNECT localhost:\d+ HTTP\/1\.1\r\nhost: localhost:\d+\r\n[^]*proxy-authorization: Basic /i,
    );
    expect(lines.join('')).not.toContain('secret');
  });

  it('is no way around the certificate, and a tunnel that breaks off is a connection that breaks off', async () => {
    const origin = await open(someBytes(3_000_000), [{ do: 'cut', afterBytes: 1_000_000 }], { tls: LOOPBACK_TLS });
    const { url } = await startProxy(OK);
    const addressPolicy = parseAddressPolicy([`localhost:${origin.port}`]);
    const to = `https://localhost:${origin.port}/files/x`;
    const stranger = client({ addressPolicy, proxy: { https: url } });
    await expect(get(stranger, to)).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringMatching(/certificate/),
    });
    const http = client({ addressPolicy, proxy: { https: url }, ca: LOOPBACK_TLS.cert });
    await expect(requestBytes(http, { url: to, source: 'test' }, 1e7, never)).rejects.toMatchObject({
      kind: 'interrupted',
    });
    expect((await requestBytes(http, { url: to, source: 'test' }, 1e7, never)).bytes).toHaveLength(3_000_000);
  });

  it('HA7 does not make a public source that the operator named a way into private networks, nor its subdomains', async () => {
    const inner = await open(someBytes(10));
    const location = `http://inside.gateway.example:${inner.port}/`;
    const redirect = `HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`;
    const { url, lines } = await startProxy(() => redirect);
    const proxy = { http: url, noProxy: 'inside.gateway.example' };
    const options = { addressPolicy: parseAddressPolicy([], true), resolve: resolveTo('127.0.0.1') };
    const http = client({ ...options, proxy });
    const asked = get(http, `http://gateway.example:${inner.port}/`, { trusted: true });
    await expect(asked).rejects.toMatchObject({ kind: 'address-refused' });
    expect(lines).toHaveLength(1);
    expect(inner.connections()).toBe(0);
  });
});
