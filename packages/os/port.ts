import { createServer } from 'node:net';

/**
 * Listens on a TCP port for a moment, to learn whether that is possible.
 *
 * @param bind address or name of this machine
 * @param wanted 0 to 65535; 0 takes a free one
 * @returns the port; another process may still take it first
 * @throws Error of Node's net, such as EADDRINUSE or EACCES
 */
export async function listenOnce(bind: string, wanted: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, bind, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error(`no port at ${bind}`);
  return address.port;
}

/** @returns a port of 127.0.0.1 that is free at this moment */
export const freePort = (): Promise<number> => listenOnce('127.0.0.1', 0);
