import { connect, createServer, type Server, type Socket } from 'node:net';

/** A port of another address that leads to one of the loopback network. */
export interface Forward {
  readonly port: number;
  close(): Promise<void>;
}

/** Makes a server that listens on the loopback network alone reachable from the hosts of a network. */
export async function forward(address: string, toPort: number): Promise<Forward> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, resolve));
  return forwardFrom(server, toPort);
}

/** @param server listens */
export function forwardFrom(server: Server, toPort: number): Forward {
  const open = new Set<Socket>();
  server.on('connection', (near: Socket) => {
    const far = connect(toPort, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.setNoDelay(true);
      one.once('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
