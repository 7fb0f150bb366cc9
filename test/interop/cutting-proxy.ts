import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Cut {
  /** Bytes of the answer, head included, that the first connection brings. */
  readonly afterBytes: number;
  /** Then: the connection is reset, or nothing more comes over it. */
  readonly then: 'reset' | 'silence';
  /** Runs before. */
  readonly before: () => Promise<void>;
}

export interface CuttingProxy {
  /** Without a path. */
  readonly url: string;
  /** Resolves when the first connection was cut. */
  readonly cut: Promise<void>;
  close(): Promise<void>;
}

/** Passes bytes on to a server as they are, and breaks the first connection off. */
export async function startCuttingProxy(upstream: string, { afterBytes, then, before }: Cut): Promise<CuttingProxy> {
  const { hostname, port } = new URL(upstream);
  const sockets = new Set<Socket>();
  let isFirst = true;
  let tellCut: () => void = () => undefined;
  const cut = new Promise<void>((resolve) => (tellCut = resolve));
  const server = createServer((client) => {
    const origin = connect(Number(port), hostname);
    for (const socket of [client, origin]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('close', () => origin.destroy());
    client.pipe(origin);
    if (!isFirst) return void origin.pipe(client);
    isFirst = false;
    let left = afterBytes;
    origin.on('data', (chunk: Buffer) => {
      if (left === 0) return;
      const part = chunk.subarray(0, left);
      left -= part.length;
      const isLast = left === 0;
      client.write(part, () => {
        if (!isLast) return;
        origin.pause();
        void before().then(() => {
          if (then === 'reset') client.resetAndDestroy();
          tellCut();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => close(server, sockets),
  };
}

const close = (server: Server, sockets: Set<Socket>): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
