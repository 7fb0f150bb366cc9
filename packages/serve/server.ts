import { once, setMaxListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf } from '#core/error-facts';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { ServeHandler } from './serve.ts';

export interface ServeServer {
  /** Resolves when it listens. @returns where */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends idle connections and answers without an end at once, and others after a pause. Safe twice and before start. */
  stop(): Promise<void>;
}

export interface ServeServerOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0 takes a free one; undefined: 7430, or a free one where that is taken. */
  readonly port: number | undefined;
  readonly handler: ServeHandler;
  /** Called when the server stops, also before it listened. */
  readonly onStop?: (() => void) | undefined;
}

const USUAL_PORT = 7430;
const HEADERS_TIMEOUT_MS = 30 * SECOND_MS;
/** Longer than the pauses that clients make between the requests of one connection. */
const KEEP_ALIVE_MS = 75 * SECOND_MS;
/** A connection on which nothing moves for so long is dead. A large cold file may be hashed before its last bytes are sent. */
const IDLE_MS = 10 * MINUTE_MS;
const MAX_CONNECTIONS = 4_096;
/** Answers in progress have this long to end at a stop. */
const STOP_MS = SECOND_MS;

/** A server of a handler; it starts nothing by itself. */
export function serveServer({ host, port, handler, onStop }: ServeServerOptions): ServeServer {
  const stopping = new AbortController();
  // Any number of hosts follows at once.
  setMaxListeners(0, stopping.signal);
  const server = createServer({ noDelay: true, keepAlive: true }, (request, response) => {
    // The connection of an answer that ends during a stop is not idle yet when the stop ends idle ones.
    response.once('finish', () => {
      if (stopping.signal.aborted) request.socket.destroySoon();
    });
    handler(request, response, stopping.signal);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = 2 * HEADERS_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_MS);
  return {
    async start() {
      await listen(server, host, port);
      // A stop that came in between found nothing to close.
      if (stopping.signal.aborted) server.close();
      const address = server.address() as AddressInfo;
      return { host: address.address, port: address.port };
    },
    async stop() {
      if (!stopping.signal.aborted) onStop?.();
      stopping.abort();
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), STOP_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Several workers of one machine each take a port of their own. */
async function listen(server: Server, host: string, port: number | undefined): Promise<void> {
  const onPort = async (wanted: number): Promise<void> => {
    server.listen(wanted, host);
    await once(server, 'listening');
  };
  if (port !== undefined) return onPort(port);
  try {
    await onPort(USUAL_PORT);
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    await onPort(0);
  }
}
