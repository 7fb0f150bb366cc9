import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:net';

/** Gives its parent the server that it listens with, and ends. */
const PROGRAM = `
  const server = require('node:net').createServer();
  const handOver = () => process.send('listens', server, () => [server.close(), process.disconnect()]);
  server.listen(0, process.argv[1], handOver);
`;

/**
 * Listens in another network namespace: a program that starts there hands its server over to this process.
 *
 * @param launcher words in front of a command that runs there
 * @param address of that namespace
 * @throws Error when the program cannot listen there; it says why on stderr
 */
export async function listenThere(launcher: readonly string[], address: string): Promise<Server> {
  const [program, ...words] = [...launcher, process.execPath, '-e', PROGRAM, address];
  const child = spawn(program!, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const given = once(child, 'message').then(([, server]) => server as Server);
  const server = await Promise.race([given, ended.then(() => undefined)]);
  if (server === undefined) throw new Error(`no server at ${address}`);
  await ended;
  return server;
}
