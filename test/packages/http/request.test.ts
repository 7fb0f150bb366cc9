import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { Http, HttpOptions } from '#http/pool';
import { createHttp } from '#http/pool';
import type { HttpRequest, HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import type { Origin } from '../../helpers/origin/origin.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { generatedContent, someBytes } from '../../helpers/origin/origin-content.ts';
import { startBlackHole } from '../../helpers/black-hole.ts';
import { createHash } from 'node:crypto';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const open = async (...args: Parameters<typeof startOrigin>): Promise<Origin> => {
  const origin = await startOrigin(...args);
  closers.push(() => origin.close());
  return origin;
};

/** Of requests that must end before anything comes. */
const FAST = { headersMs: 150, stallMs: 150, lowSpeedMs: 300, connectMs: 200, lookupMs: 200, tlsMs: 200 };

function client(options: HttpOptions = {}): Http {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']), ...options });
  closers.push(() => http.close());
  return http;
}

const never = new AbortController().signal;

/** Asks for a URL and hashes what comes. */
async function ask(
  http: Http,
  url: string,
  more: Partial<HttpRequest> = {},
  signal = never,
  pauseEvery?: number,
): Promise<{ response: HttpResponse; sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let chunks = 0;
  const response = await http.request(
    { url, source: 'test', ...more },
    {
      head: () => true,
      data: (chunk) => {
        bytes += chunk.byteLength;
        chunks += 1;
        if (pauseEvery === undefined || chunks % pauseEvery !== 0) return void hash.update(chunk);
        return new Promise((resolve) => setTimeout(() => resolve(void hash.update(chunk)), 2));
      },
    },
    signal,
  );
  return { response, sha256: hash.digest('hex'), bytes };
}

describe('a request', () => {
  it('HR1 always asks for the identity encoding and names us', async () => {
    const origin = await open(someBytes(10));
    await ask(client({ userAgent: 'haulier/9' }), `${origin.url}/files/x`, { headers: { 'accept-encoding': 'gzip' } });
    expect(origin.requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity', 'user-agent': 'haulier/9' });
  });

  it('B01 B04 HR20 says interrupted when the body ends before its length', async () => {
    const origin = await open(someBytes(100_000), [
      { do: 'cut', afterBytes: 50_000 },
      { do: 'cut', afterBytes: 99_999 },
      { do: 'reset', afterBytes: 60_000 },
      [{ do: 'chunked' }, { do: 'cut', afterBytes: 50_000 }],
    ]);
    const http = client();
    for (let i = 0; i < 4; i += 1)
      await expect(ask(http, `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'interrupted', source: 'test' });
  });

  it('C01 HT6 says timed-out when the body stalls', async () => {
    const origin = await open(someBytes(100_000), [{ do: 'stall', afterBytes: 10 }]);
    await expect(ask(client({ timeouts: FAST }), `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'timed-out' });
  });

  it('C05 HT7 says timed-out when no header comes in time, and waits until then', async () => {
    const origin = await open(someBytes(10), [{ do: 'hang' }, { do: 'delay', ms: 60 }]);
    await expect(ask(client({ timeouts: FAST }), `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'timed-out' });
    expect((await ask(client(), `${origin.url}/files/x`)).bytes).toBe(10);
  });

  it('C03 HT5 says too-slow when bytes trickle, without a total timeout', async () => {
    const origin = await open(someBytes(100_000), [{ do: 'drip', bytesPerSecond: 100 }]);
    const timeouts = { ...FAST, lowSpeedBytesPerSecond: 10_000 };
    await expect(ask(client({ timeouts }), `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'too-slow' });
  });

  it('does not count the time in which the consumer holds the transport', async () => {
    const origin = await open(someBytes(1_000_000));
    const http = client({ timeouts: { ...FAST, stallMs: 40, lowSpeedMs: 40, lowSpeedBytesPerSecond: 1e9 } });
    let chunks = 0;
    await http.request(
      { url: `${origin.url}/files/x`, source: 'test' },
      { head: () => true, data: () => (chunks++ === 0 ? new Promise((r) => setTimeout(r, 200)) : undefined) },
      never,
    );
    expect(chunks).toBeGreaterThan(1);
  });

  it('A34 refuses an endless header block', async () => {
    const origin = await open(someBytes(10), [{ do: 'big-headers', bytes: 65_536 }]);
    await expect(ask(client(), `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'bad-response' });
  });

  it('A23 refuses a negative and an overflowing Content-Length', async () => {
    const origin = await open(someBytes(10), [
      { do: 'headers', set: { 'content-length': '-10' } },
      { do: 'headers', set: { 'content-length': '99999999999999999999999' } },
    ]);
    for (let i = 0; i < 2; i += 1)
      await expect(ask(client(), `${origin.url}/files/x`)).rejects.toMatchObject({ kind: 'bad-response' });
  });

  it('says aborted when stopped before, while connecting and in the body', async () => {
    const origin = await open(someBytes(10_000_000), [{ do: 'none' }, { do: 'stall', afterBytes: 1000 }]);
    const http = client();
    await expect(ask(http, `${origin.url}/files/x`, {}, AbortSignal.abort())).rejects.toMatchObject({
      kind: 'aborted',
    });
    await ask(http, `${origin.url}/files/x`);
    const stop = new AbortController();
    const body = http.request(
      { url: `${origin.url}/files/x`, source: 'test' },
      { head: () => true, data: () => stop.abort() },
      stop.signal,
    );
    await expect(body).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('throws what the consumer throws, and goes on with the next request', async () => {
    const origin = await open(someBytes(10_000_000));
    const http = client();
    const bad = http.request(
      { url: `${origin.url}/files/x`, source: 'test' },
      {
        head: () => true,
        data: () => {
          throw new RangeError('no');
        },
      },
      never,
    );
    await expect(bad).rejects.toThrow(RangeError);
    expect((await ask(http, `${origin.url}/files/x`)).bytes).toBe(10_000_000);
  });

  it('leaves a body it does not want and keeps the connection when the body is short', async () => {
    const origin = await open({ files: { big: generatedContent(50_000_000), small: someBytes(100) } });
    const http = client();
    const skip = { head: () => false, data: () => undefined };
    await http.request({ url: `${origin.url}/files/small`, source: 't' }, skip, never);
    await http.request({ url: `${origin.url}/files/big`, source: 't' }, skip, never);
    await http.request({ url: `${origin.url}/files/small`, source: 't' }, skip, never);
    expect(origin.connections()).toBe(2);
    expect(origin.requests[1]!.bytesSent).toBeLessThan(50_000_000);
  });

  it('sends a request again on a new connection when a waiting connection turns out closed', async () => {
    const server = createServer((socket) => {
      let answered = false;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        if (answered) return void socket.resetAndDestroy();
        answered = true;
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const http = client();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect((await ask(http, url)).bytes).toBe(2);
    expect((await ask(http, url)).bytes).toBe(2);
    await expect(ask(http, url, { method: 'POST' })).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('opens no more connections to an origin than allowed', async () => {
    const origin = await open(someBytes(1000), [], { rules: [{ fault: { do: 'delay', ms: 5 } }] });
    const http = client({ maxConnectionsPerOrigin: 3 });
    await Promise.all(Array.from({ length: 20 }, () => ask(http, `${origin.url}/files/x`)));
    expect(origin.connections()).toBeLessThanOrEqual(3);
    expect(origin.requests).toHaveLength(20);
  });

  it('bounds small answers and refuses what is not JSON', async () => {
    const origin = await open({ files: { j: Buffer.from('{"a":1}'), n: Buffer.from('{') } }, [], {
      rules: [{ path: 'endless', fault: { do: 'endless' } }],
    });
    const http = client();
    const to = (path: string): HttpRequest => ({ url: `${origin.url}/files/${path}`, source: 'test' });
    const { bytes, response } = await requestBytes(http, to('j'), 100, never);
    expect([response.status, JSON.parse(bytes.toString())]).toEqual([200, { a: 1 }]);
    expect((await requestBytes(http, to('none'), 100, never)).response.status).toBe(404);
    await expect(requestBytes(http, to('j'), 3, never)).rejects.toMatchObject({ kind: 'bad-response' });
    await expect(requestBytes(http, to('endless'), 1e6, never)).rejects.toMatchObject({ kind: 'bad-response' });
  });

  it('C06 C08 HT7 bounds the resolver and the TLS handshake each for itself', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closers.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const deaf = client({ timeouts: FAST, resolve: () => new Promise(() => undefined) });
    await expect(ask(deaf, 'http://gateway.example/')).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('DNS'),
    });
    await expect(ask(client({ timeouts: FAST }), `https://127.0.0.1:${port}/`)).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('TLS'),
    });
    await expect(ask(client(), 'http://127.0.0.1:1/')).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('C07 HT7 bounds the connection where SYN is swallowed', async () => {
    const hole = await startBlackHole();
    closers.push(() => hole.close());
    const timeouts = { ...FAST, lookupMs: 60_000, tlsMs: 60_000, headersMs: 60_000, stallMs: 60_000 };
    const startedAt = performance.now();
    await expect(ask(client({ timeouts }), `http://127.0.0.1:${hole.port}/`)).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining(`no connection to 127.0.0.1:${hole.port} in ${FAST.connectMs} ms`),
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(FAST.connectMs - 5);
  });

  it('E01 says unreachable when the name does not exist', async () => {
    const http = client({
      resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    });
    await expect(ask(http, 'http://gone.example/')).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('ENOTFOUND'),
    });
  });
});
