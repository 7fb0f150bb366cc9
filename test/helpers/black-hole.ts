import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate, setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export interface BlackHole {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens and never accepts: its thread sleeps, so that the kernel's queue stays full. */
const SLEEPER = `
  const { createServer } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(workerData), 0, 0));
  });
`;
/** Far more than a backlog of one takes. */
const MOST_FILLERS = 64;
/** Loopback answers at once or not at all. */
const ANSWER_MS = 150;

/** A port on loopback that swallows SYN, as a firewall does: connecting there neither succeeds nor fails. */
export async function startBlackHole(): Promise<BlackHole> {
  const asleep = new SharedArrayBuffer(4);
  const worker = new Worker(SLEEPER, { eval: true, workerData: asleep });
  const [port] = (await once(worker, 'message')) as [number];
  const fillers: Socket[] = [];
  const close = async (): Promise<void> => {
    for (const socket of fillers) socket.destroy();
    Atomics.store(new Int32Array(asleep), 0, 1);
    Atomics.notify(new Int32Array(asleep), 0);
    await worker.terminate();
  };
  while (fillers.length < MOST_FILLERS) {
    const filler = connect(port, '127.0.0.1').on('error', () => undefined);
    fillers.push(filler);
    await Promise.race([once(filler, 'connect'), pause(ANSWER_MS)]);
    // On a busy machine the answer may be there and wait behind the timer.
    await setImmediate();
    if (filler.connecting) return { port, close };
  }
  await close();
  throw new Error(`the queue of port ${port} is never full`);
}
