import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { freePort, listenOnce } from '#os/port';

it('finds a port that can be listened on afterwards', async () => {
  const port = await freePort();
  // Linux hands ports out from 32768 on: one of those could go to any other program before it is used.
  expect([port >= 20_000, port < 32_768]).toEqual([true, true]);
  expect(await listenOnce('127.0.0.1', port)).toBe(port);
});

it('says that a port is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(listenOnce('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  server.close();
  await once(server, 'close');
});
