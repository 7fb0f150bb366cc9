import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { messageOf } from '#core/error-facts';
import { silentLogger } from '#core/logger';
import { runCommand } from '#embedded/command';
import { findProgram } from '#embedded/find-program';
import { startOnPort } from '#embedded/running-server';
import { startServerProcess, type ServerProcess } from '#embedded/server-process';
import { waitUntilReady } from '#embedded/wait-ready';
import { LOOPBACK_TLS } from './origin/origin-tls.ts';
import { testCacheDir } from './services.ts';

/** One redis-server process of a cluster or of a group with Sentinels. */
export interface RedisServer {
  /** Without TLS. */
  readonly port: number;
  readonly process: ServerProcess;
}

const findRedis = () =>
  findProgram('redis-server', {
    aliases: ['valkey-server'],
    packages: ['redis-server'],
    cacheDir: testCacheDir(),
  });

/** @returns why a test over TLS cannot run here; undefined where it can */
export async function whyNoTls(): Promise<string | undefined> {
  const { path, env } = await findRedis();
  try {
    await runCommand(path, ['--port', '0', '--tls-port', '0', '--save', ''], { env });
    return undefined;
  } catch (error) {
    // A server that knows the setting ends because no port is left to it.
    return messageOf(error).includes('not listen anywhere') ? undefined : 'this redis-server was built without TLS';
  }
}

/** Lines of a configuration that add a port with TLS, and the CA file to trust. */
export async function tlsLines(folder: string, tlsPort: number): Promise<{ lines: string[]; caFile: string }> {
  const [certFile, keyFile] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  await writeFile(certFile, LOOPBACK_TLS.cert);
  await writeFile(keyFile, LOOPBACK_TLS.key);
  const files = [`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${certFile}`];
  return { lines: [`tls-port ${tlsPort}`, ...files, 'tls-auth-clients no'], caFile: certFile };
}

export const PASSWORD = 'secret-of-the-test';

/**
 * Starts a redis-server.
 *
 * @param lines of its configuration, beside port, folder and password
 * @param wanted its port, a free one where it is left out; words of its command line
 */
export async function startRedisServer(
  dataDir: string,
  lines: readonly string[],
  wanted: { readonly port?: number; readonly args?: readonly string[] } = {},
): Promise<RedisServer> {
  const { path, env } = await findRedis();
  await mkdir(dataDir, { recursive: true });
  const { port, server } = await startOnPort(wanted.port, async (free) => {
    const file = join(dataDir, 'redis.conf');
    const fixed = ['bind 127.0.0.1', `dir ${dataDir}`, `port ${free}`, `requirepass ${PASSWORD}`];
    await writeFile(file, [...fixed, ...lines].join('\n'));
    const started = await startServerProcess(
      { name: 'redis', file: path, args: [file, ...(wanted.args ?? [])], env, stopSignal: 'SIGTERM' },
      silentLogger,
    );
    const greeting = Buffer.from(`AUTH ${PASSWORD}\r\nPING\r\nINFO server\r\n`);
    const isReady = (answer: Buffer): boolean =>
      answer.includes('+PONG') && answer.includes(`process_id:${started.pid}\r\n`);
    await waitUntilReady(started, { port: free, greeting, isReady });
    return started;
  });
  return { port, process: server };
}

/** SIGKILL, and waits until it is gone. */
export async function killServer({ process: server }: RedisServer): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
}

/** Of a server that holds keys. */
export const DATA_LINES = ['save ""', 'appendonly yes', 'maxmemory-policy noeviction', `masterauth ${PASSWORD}`];

/** A connection for one piece of work. */
export async function withConnection<Result>(port: number, work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis({ host: '127.0.0.1', port, password: PASSWORD, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
