import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '#embedded/find-program';
import { startOnPort } from '#embedded/running-server';
import { startServerProcess } from '#embedded/server-process';
import { waitUntilReady } from '#embedded/wait-ready';
import { silentLogger } from '#core/logger';
import { testCacheDir } from './services.ts';

export interface PgBouncer {
  /** `postgresql://…` of the same database, through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

const find = () =>
  findProgram('pgbouncer', { packages: ['pgbouncer'], cacheDir: testCacheDir(), versionArgs: ['--version'] });

/** @returns why this machine has no PgBouncer and can get none; undefined where it has one */
export const whyNoPgBouncer = (): Promise<string | undefined> =>
  find().then(
    () => undefined,
    (error: unknown) => String(error),
  );

/**
 * Starts a real PgBouncer that gives each transaction any session.
 *
 * @param databaseUrl of the PostgreSQL behind it
 * @param workDir for its configuration; made when absent
 * @param sessions most sessions of PostgreSQL that it opens
 */
export async function startPgBouncer(databaseUrl: string, workDir: string, sessions = 3): Promise<PgBouncer> {
  const { path, env } = await find();
  const behind = new URL(databaseUrl);
  await mkdir(workDir, { recursive: true });
  // It refuses to run as root, and the user that it runs as then has to read its configuration.
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  await chmod(workDir, 0o755);
  const { port, server } = await startOnPort(undefined, async (free) => {
    const file = join(workDir, 'pgbouncer.ini');
    await writeFile(file, configuration(behind, free, sessions), { mode: 0o644 });
    const args = [...asNobody, file];
    const started = await startServerProcess(
      { name: 'pgbouncer', file: path, args, env, stopSignal: 'SIGINT', stopTimeoutMs: 2_000 },
      silentLogger,
    );
    // The StartupMessage of an SSLRequest (protocol documentation, "Message Formats"); the answer is N or S.
    const greeting = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
    await waitUntilReady(started, { port: free, greeting, isReady: (answer) => /^[NS]/.test(answer.toString()) });
    return started;
  });
  return { url: `postgresql://anyone@127.0.0.1:${port}${behind.pathname}`, stop: () => server.stop() };
}

const configuration = ({ hostname, port, username, password }: URL, listen: number, sessions: number): string => `
[databases]
* = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${sessions}
max_client_conn = 500
server_reset_query =
`;
