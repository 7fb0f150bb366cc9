import type { Socket } from 'node:net';
import type { App } from './app-type.ts';

/**
 * Ends the connections without a request when the server closes. Node counts them as busy: a browser that connects in advance
 * would delay the end of the process.
 */
export function endUnusedConnections(app: App): void {
  const unused = new Set<Socket>();
  app.server.on('connection', (socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }) => unused.delete(socket));
  app.addHook('preClose', async () => {
    for (const socket of unused) socket.destroy();
  });
}
