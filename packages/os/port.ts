import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { codeOf } from '#core/error-facts';

/** Below the ports that Linux, BSD and Windows hand out by themselves, so that no other program gets one of these by chance. */
const [FIRST, LAST] = [20_000, 29_999];
/** After so many that are in use, one that the system hands out will do. */
const TRIES = 100;

/**
 * Listens on a TCP port for a moment, to learn whether that is possible.
 *
 * @param bind address or name of this machine
 * @param wanted 0 to 65535; 0 takes one that the system hands out
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

/**
 * Finds a port for a server that another process starts a moment later.
 *
 * @param bind address or name of this machine
 * @returns a port that is free at this moment
 * @throws Error of Node's net, such as EADDRNOTAVAIL
 */
export async function freePort(bind = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return await listenOnce(bind, randomInt(FIRST, LAST + 1));
    } catch (error) {
      if (!['EADDRINUSE', 'EACCES'].includes(codeOf(error))) throw error;
    }
  }
  return listenOnce(bind, 0);
}
