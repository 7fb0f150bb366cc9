import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerProcess } from './server-process.ts';

export interface Probe {
  readonly port: number;
  /** The protocol's first words. */
  readonly greeting: Buffer;
  /** @returns true when these bytes are the answer of a server that takes work */
  isReady(answer: Buffer): boolean;
  /** @returns true when it was our server that answered: another one may hold the port; default: the answer tells */
  isOurs?(): Promise<boolean>;
}

/**
 * Waits until the server answers its own protocol, not merely until the port is open.
 *
 * @param timeoutMs how long a start may take; crash recovery of a large database is the slow case; default 60,000
 * @throws Error with the server's last lines when it ends or does not answer in time
 */
export async function waitUntilReady(server: ServerProcess, probe: Probe, timeoutMs = 60_000): Promise<void> {
  let ended: string | undefined;
  void server.exited.then((reason) => (ended = reason));
  const deadline = Date.now() + timeoutMs;
  while (!((await answers(probe)) && (await (probe.isOurs?.() ?? true)))) {
    if (ended !== undefined) throw new Error(`${ended} while starting: ${server.outputTail()}`);
    if (Date.now() > deadline) throw new Error(`no answer on port ${probe.port} in time: ${server.outputTail()}`);
    await pause(25);
  }
}

function answers(probe: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: probe.port, timeout: 2_000 });
    const finish = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    let answer = Buffer.alloc(0);
    socket.on('connect', () => socket.write(probe.greeting));
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (probe.isReady(answer)) finish(true);
    });
    for (const event of ['error', 'timeout', 'close']) socket.on(event, () => finish(false));
  });
}
