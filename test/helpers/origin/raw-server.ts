import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { LOOPBACK_TLS } from './origin-tls.ts';

export interface RawServer {
  readonly port: number;
  readonly url: string;
  /** Heads of the requests so far. */
  readonly requests: readonly string[];
  connections(): number;
  close(): Promise<void>;
}

/** One response as bytes; an array is written piece by piece, each in a segment of its own. `end` closes the connection after it. */
export interface RawAnswer {
  readonly pieces: readonly (string | Uint8Array)[];
  readonly end?: boolean;
}

/**
 * Answers each request with bytes as they are, so that a test can send what no HTTP server library would.
 *
 * @param answer told the head of the request and its number, from 0
 */
export async function startRawServer(
  answer: (head: string, index: number) => RawAnswer,
  options: { readonly tls?: boolean } = {},
): Promise<RawServer> {
  const requests: string[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const listener = (socket: Socket): void => {
    connections += 1;
    open.add(socket);
    let text = '';
    socket.setNoDelay(true);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        requests.push(head);
        void send(socket, answer(head, requests.length - 1));
      }
    });
  };
  const server: Server = options.tls ? createTlsServer(LOOPBACK_TLS, listener) : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function send(socket: Socket, { pieces, end }: RawAnswer): Promise<void> {
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (end === true) socket.end();
}
