import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { freePort } from '#os/port';
import type { ServerProcess } from './server-process.ts';

export interface ServerOptions {
  /** The server's own folder; made when absent; nothing else may live in it. */
  readonly dataDir: string;
  /** Where programs are unpacked; may be shared by any number of servers and processes. */
  readonly cacheDir: string;
  /** TCP port on 127.0.0.1; default: a free one. */
  readonly port?: number | undefined;
  readonly logger: Logger;
  /** One line for each step that may take seconds. */
  readonly onProgress?: ((step: string) => void) | undefined;
}

export interface RunningServer {
  /** With user and password where there is one: a secret. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves with a sentence when the server has ended, for any reason. */
  readonly exited: Promise<string>;
  /** Stops it in an orderly way and waits until it is gone; safe twice. */
  stop(): Promise<void>;
}

const PORT_TAKEN = /address already in use/i;

/**
 * Starts on the wanted port, or on a free one. A free port can be taken by another program before the server listens on
 * it, so that case alone is tried again, three times in all.
 */
export async function startOnPort(
  wanted: number | undefined,
  start: (port: number) => Promise<ServerProcess>,
): Promise<{ port: number; server: ServerProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    try {
      return { port, server: await start(port) };
    } catch (error) {
      const mayRetry = wanted === undefined && attempt < 3;
      if (!mayRetry || !PORT_TAKEN.test(messageOf(error))) throw error;
    }
  }
}
