import { join } from 'node:path';
import { messageOf } from '#core/error-facts';
import { silentLogger } from '#core/logger';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { CliError, EXIT } from '../exit-code.ts';

export interface ServersOptions {
  /** Root of their data. */
  readonly home: string;
  /** Folder of unpacked programs; default: `home`. */
  readonly cacheDir?: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly report: (step: string) => void;
}

/** Something of the stack that ended unasked. */
export interface EndedPart {
  readonly name: string;
  /** Its last words. */
  logTail(): Promise<string>;
}

interface Servers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Each settles when a server that was started here has ended. */
  readonly ends: readonly Promise<EndedPart>[];
}

/**
 * Starts PostgreSQL and Redis where no URL is given.
 *
 * @param stops receives a function for each server that was started, also when this fails
 * @throws CliError that says which server did not start, and why
 */
export async function startServers(
  { home, cacheDir = home, databaseUrl, redisUrl, report }: ServersOptions,
  stops: (() => Promise<void>)[],
): Promise<Servers> {
  const ends: Promise<EndedPart>[] = [];
  const shared = { cacheDir, logger: silentLogger, onProgress: report };
  const start = async (name: string, launch: () => Promise<RunningServer>): Promise<string> => {
    report(`starting ${name}`);
    const server = await launch().catch((cause: unknown) => {
      throw new CliError(EXIT.failed, `${name} did not start: ${messageOf(cause)}`, { cause });
    });
    stops.push(() => server.stop());
    ends.push(server.exited.then((reason) => ({ name: `${name} server`, logTail: async () => `  ${reason}` })));
    return server.url;
  };
  const [postgres, redis] = await settleAll([
    databaseUrl ?? start('PostgreSQL', () => startPostgres({ ...shared, dataDir: join(home, 'postgres') })),
    redisUrl ?? start('Redis', () => startRedis({ ...shared, dataDir: join(home, 'redis') })),
  ]);
  return { databaseUrl: postgres!, redisUrl: redis!, ends };
}

/** Like Promise.all, but waits for all values before it throws, so that all started servers can be stopped. */
async function settleAll<T>(values: readonly (T | Promise<T>)[]): Promise<T[]> {
  const results = await Promise.allSettled(values);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
