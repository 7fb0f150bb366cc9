import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { requestBytes } from '#http/small-request';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Ends its connection in the same turn in which it sent the last bytes, so that both arrive together. */
async function startServer(end: 'reset' | 'close'): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${'x'.repeat(1000)}`);
      setImmediate(() => (end === 'reset' ? socket.resetAndDestroy() : socket.end()));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
}

function ask(url: string): Promise<unknown> {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
  closers.push(() => http.close());
  return requestBytes(http, { url, source: 'test' }, 1e6, new AbortController().signal);
}

describe('the end of a body without a length', () => {
  it('B26 is an interruption where the connection was reset, also when the reset arrives with the last data', async () => {
    for (let run = 0; run < 20; run += 1)
      await expect(ask(await startServer('reset'))).rejects.toMatchObject({ kind: 'interrupted' });
  });

  it('B26 is the end where the server closed the connection', async () => {
    for (let run = 0; run < 20; run += 1)
      await expect(ask(await startServer('close'))).resolves.toMatchObject({ bytes: Buffer.from('x'.repeat(1000)) });
  });
});
