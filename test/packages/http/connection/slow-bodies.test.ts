import { createHash } from 'node:crypto';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http, type HttpTimeouts } from '#http/pool';
import { KIB } from '#core/units';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { LOOPBACK_TLS } from '../../../helpers/origin/origin-tls.ts';

const CONTENT = someBytes(640 * KIB);
const STEP_BYTES = 1448;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Send = (response: ServerResponse) => Promise<void>;

interface Started {
  readonly url: string;
  readonly http: Http;
}

async function start(secure: boolean, send: Send, timeouts: Partial<HttpTimeouts> = {}): Promise<Started> {
  const answer: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length });
    // The client may leave in the middle.
    send(response).catch(() => response.destroy());
  };
  const server = secure ? createTlsServer(LOOPBACK_TLS, answer) : createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.1']), timeouts, ca: LOOPBACK_TLS.cert });
  closers.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
    () => http.close(),
  );
  return { url: `http${secure ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}/x`, http };
}

/** Sends packet by packet, about 1 MiB/s, up to the position. */
async function drip(response: ServerResponse, untilBytes: number): Promise<void> {
  const beganAt = performance.now();
  for (let at = 0; at < untilBytes && !response.destroyed; at += STEP_BYTES) {
    response.write(CONTENT.subarray(at, Math.min(untilBytes, at + STEP_BYTES)));
    while ((at / (performance.now() - beganAt)) * 1000 > 1024 * KIB) await pause(1);
  }
}

interface Seen {
  readonly chunks: number[];
  readonly hash: ReturnType<typeof createHash>;
}

function consumer(take: (chunk: Uint8Array) => void | Promise<void> = () => undefined) {
  const seen: Seen = { chunks: [], hash: createHash('sha256') };
  const data = (chunk: Uint8Array): void | Promise<void> => {
    seen.chunks.push(chunk.length);
    seen.hash.update(chunk);
    return take(chunk);
  };
  return { seen, sink: { head: () => true, data } };
}

const never = new AbortController().signal;

describe.each([
  ['plain', false],
  ['TLS', true],
])('a body that comes packet by packet over %s', (_what, secure) => {
  it('is read in few and larger reads, whole and in order, however the consumer holds its chunks', async () => {
    const { url, http } = await start(secure, async (response) => {
      await drip(response, CONTENT.length);
      response.end();
    });
    for (const every of [Infinity, 5]) {
      let count = 0;
      const { seen, sink } = consumer(() => ((count += 1) % every === 0 ? pause(15) : undefined));
      await http.request({ url, source: 'test' }, sink, never);
      expect(seen.hash.digest('hex')).toBe(sha256Of(CONTENT));
      expect(seen.chunks.length).toBeLessThan(CONTENT.length / STEP_BYTES / 2);
    }
  });

  it('ends as soon as its last byte is there', async () => {
    let sentAt = 0;
    const { url, http } = await start(secure, async (response) => {
      await drip(response, CONTENT.length - 100);
      sentAt = performance.now();
      response.end(CONTENT.subarray(-100));
    });
    // Other work of the machine may make one late, and a pause between reads makes all of them late.
    let leastMs = Infinity;
    for (let round = 0; round < 20 && leastMs >= 15; round += 1) {
      await http.request({ url, source: 'test' }, consumer().sink, never);
      leastMs = Math.min(leastMs, performance.now() - sentAt);
    }
    expect(leastMs).toBeLessThan(15);
  });

  it('hands over all that came before the connection broke off', async () => {
    const cutAt = 400 * KIB;
    const { url, http } = await start(secure, async (response) => {
      await drip(response, cutAt);
      await pause(60);
      response.destroy();
    });
    const { seen, sink } = consumer();
    await expect(http.request({ url, source: 'test' }, sink, never)).rejects.toMatchObject({ kind: 'interrupted' });
    expect(seen.hash.digest('hex')).toBe(sha256Of(CONTENT.subarray(0, cutAt)));
  });

  it('that stops is given up after the time without a byte, no later', async () => {
    const { url, http } = await start(secure, (response) => drip(response, 400 * KIB), { stallMs: 1500 });
    const { seen, sink } = consumer();
    let lastAt = 0;
    const data = (chunk: Uint8Array) => ((lastAt = performance.now()), sink.data(chunk));
    await expect(http.request({ url, source: 'test' }, { ...sink, data }, never)).rejects.toMatchObject({
      kind: 'timed-out',
    });
    expect(performance.now() - lastAt).toBeGreaterThan(1490);
    expect(seen.chunks.reduce((sum, length) => sum + length, 0)).toBe(400 * KIB);
  });

  it('is ended at once by its signal, and nothing is handed over after that', async () => {
    const { url, http } = await start(secure, (response) => drip(response, CONTENT.length));
    const stop = new AbortController();
    let bytes = 0;
    const { sink } = consumer((chunk) => {
      bytes += chunk.length;
      if (bytes > 300 * KIB) stop.abort();
    });
    await expect(http.request({ url, source: 'test' }, sink, stop.signal)).rejects.toMatchObject({ kind: 'aborted' });
    const atEnd = bytes;
    await pause(100);
    expect(bytes).toBe(atEnd);
  });
});
