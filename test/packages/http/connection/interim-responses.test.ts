import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http, type HttpOptions } from '#http/pool';
import { requestBytes } from '#http/small-request';
import { someBytes } from '../../../helpers/origin/origin-content.ts';
import { LOOPBACK_TLS } from '../../../helpers/origin/origin-tls.ts';
import { startRawServer, type RawAnswer } from '../../../helpers/origin/raw-server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const BODY = Buffer.from(someBytes(300_000));
const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n';

function client(options: HttpOptions = {}): Http {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']), ca: LOOPBACK_TLS.cert, ...options });
  closers.push(() => http.close());
  return http;
}

async function serve(answer: (head: string, index: number) => RawAnswer, tls = false) {
  const server = await startRawServer(answer, { tls });
  closers.push(() => server.close());
  return server;
}

const ask = (http: Http, url: string) => requestBytes(http, { url, source: 'test' }, 1e6, new AbortController().signal);

/** A proxy that knows CONNECT only. */
async function startTunnel(): Promise<string> {
  const server = createServer((socket) => {
    socket.once('data', (chunk: Buffer) => {
      const [, port] = /CONNECT [^:]+:(\d+)/.exec(chunk.toString('latin1'))!;
      const up = connect(Number(port), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      socket.pipe(up).pipe(socket);
      up.on('error', () => socket.destroy());
      socket.on('error', () => up.destroy());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('interim responses', () => {
  it.each([
    ['http', false],
    ['https', true],
  ])('A35 are passed over on each request of a connection that is used again, by %s', async (_scheme, tls) => {
    const answers: readonly (readonly (string | Uint8Array)[])[] = [
      [CONTINUE, HEAD, BODY],
      [CONTINUE + CONTINUE + HINTS + HEAD, BODY.subarray(0, 10), BODY.subarray(10)],
      ['HTTP/1.1 1', '02 Processing\r', '\n\r', `\n${HEAD}`, BODY],
      [Buffer.concat([Buffer.from(HINTS + HEAD), BODY])],
    ];
    const server = await serve((_head, index) => ({ pieces: answers[index]! }), tls);
    const http = client();
    for (let i = 0; i < answers.length; i += 1) {
      const { response, bytes } = await ask(http, `${server.url}/f`);
      expect(response.status).toBe(200);
      expect(bytes.equals(BODY)).toBe(true);
    }
    expect(server.connections()).toBe(1);
  });

  it('A35 are passed over through a tunnel', async () => {
    const server = await serve(() => ({ pieces: [CONTINUE, HINTS + HEAD, BODY] }), true);
    const http = client({ proxy: { https: await startTunnel() } });
    for (let i = 0; i < 2; i += 1) expect((await ask(http, `${server.url}/f`)).bytes.equals(BODY)).toBe(true);
  });

  it('A35 do not keep a request alive that never gets its answer', async () => {
    const server = await serve(() => ({ pieces: [CONTINUE] }));
    const http = client({ timeouts: { headersMs: 150 } });
    await expect(ask(http, `${server.url}/f`)).rejects.toMatchObject({ kind: 'timed-out' });
  });

  it('A36 end with one clear failure when the answer is 101', async () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    const server = await serve((_head, index) => ({ pieces: index === 0 ? [HEAD, BODY] : [upgrade] }));
    const http = client();
    await ask(http, `${server.url}/f`);
    await expect(ask(http, `${server.url}/f`)).rejects.toMatchObject({
      kind: 'bad-response',
      message: 'answered 101 Switching Protocols, which was not asked for',
    });
    expect(server.requests).toHaveLength(2);
  });

  it('A37 a head whose lines end with LF alone is an answer, and so is a body until close after it', async () => {
    const server = await serve((_head, index) =>
      index === 0
        ? { pieces: [`HTTP/1.1 200 OK\nContent-Length: ${BODY.length}\n\n`, BODY] }
        : { pieces: ['HTTP/1.0 200 OK\n\n', BODY], end: true },
    );
    const http = client();
    for (let i = 0; i < 2; i += 1) expect((await ask(http, `${server.url}/f`)).bytes.equals(BODY)).toBe(true);
  });

  it('A38 contradictory lengths are named, and nothing of the body is taken', async () => {
    const server = await serve(() => ({ pieces: [`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${HEAD.slice(17)}`, BODY] }));
    await expect(ask(client(), `${server.url}/f`)).rejects.toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('contradict each other: Content-Length "5" and "300000"'),
    });
  });

  it('says interrupted or unreachable when the connection ends in the middle of a head', async () => {
    const server = await serve(() => ({ pieces: [CONTINUE + HEAD.slice(0, 20)], end: true }));
    await expect(ask(client(), `${server.url}/f`)).rejects.toMatchObject({ kind: 'unreachable' });
  });
});
