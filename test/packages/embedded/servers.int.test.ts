import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { Redis } from 'ioredis';
import pg from 'pg';
import { silentLogger } from '#core/logger';
import { runCommand } from '#embedded/command';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import type { RunningServer } from '#embedded/running-server';
import { processStart } from '#os/process-start';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { testCacheDir } from '../../helpers/services.ts';

expectNoLeaks();

let folder: string;
const started: RunningServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-embedded-'));
});

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function keep(starting: Promise<RunningServer>): Promise<RunningServer> {
  const server = await starting;
  started.push(server);
  return server;
}

const options = (): { dataDir: string; cacheDir: string; logger: typeof silentLogger } => ({
  dataDir: join(folder, 'server'),
  cacheDir: testCacheDir(),
  logger: silentLogger,
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  // Every command rejects with the error anyway.
  redis.on('error', () => undefined);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

describe('startPostgres', () => {
  it('gives a real server on 127.0.0.1 with the database haulier, and stops it twice without harm', async () => {
    const server = await keep(startPostgres(options()));
    const rows = await query(
      server.url,
      `select current_database() as name, current_setting('listen_addresses') as at`,
    );
    expect(rows).toEqual([{ name: 'haulier', at: '127.0.0.1' }]);
    await server.stop();
    await server.stop();
    await expect(server.exited).resolves.toBe('postgres ended with code 0');
  });

  it('keeps what was committed when the server is killed, and starts again on the same folder', async () => {
    const first = await keep(startPostgres(options()));
    await query(first.url, 'create table kept (id int); insert into kept values (7)');
    process.kill(first.pid, 'SIGKILL');
    await expect(first.exited).resolves.toMatch(/signal 9/);
    await first.stop();
    const second = await keep(startPostgres(options()));
    expect(await query(second.url, 'select id from kept')).toEqual([{ id: 7 }]);
  });

  it('keeps the password beside the data for its owner alone', async () => {
    const server = await keep(startPostgres({ ...options(), durable: false }));
    const file = join(folder, 'server/password');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(server.url).toContain(await readFile(file, 'utf8'));
    await expect(query(server.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toThrow(/password/);
  });

  it('removes a stale pid file whose number belongs to another process now', async () => {
    const first = await keep(startPostgres({ ...options(), durable: false }));
    await first.stop();
    const pidFile = join(folder, 'server/cluster/postmaster.pid');
    await writeFile(pidFile, `${process.pid}\n${join(folder, 'server/cluster')}\n`);
    const second = await keep(startPostgres({ ...options(), durable: false }));
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('makes a half-made cluster again', async () => {
    await mkdir(join(folder, 'server/cluster.draft/base'), { recursive: true });
    await mkdir(join(folder, 'server/cluster/base'), { recursive: true });
    const server = await keep(startPostgres({ ...options(), durable: false }));
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('refuses a folder that a live process uses, and says which', async () => {
    await keep(startPostgres({ ...options(), durable: false }));
    await expect(startPostgres(options())).rejects.toThrow(`is in use by process ${process.pid}`);
  });

  it('names the port when another program holds it', async () => {
    const other = await keep(startRedis({ ...options(), dataDir: join(folder, 'redis') }));
    const starting = startPostgres({ ...options(), durable: false, port: other.port });
    await expect(starting).rejects.toThrow(/Address already in use/);
  });
});

/** Runs a file in a Node of its own, as the program that starts a server. */
async function runOwner(dataDir: string): Promise<{ owner: ChildProcess; serverPid: number }> {
  const bundle = join(folder, 'hold-redis.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'hold-redis.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  });
  const owner = spawn(process.execPath, [bundle, dataDir, testCacheDir()], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  return { owner, serverPid: Number(line.toString()) };
}

describe('a crash of the program that started a server', () => {
  it('takes the server along, and the folder can be used again', async () => {
    const { owner, serverPid } = await runOwner(join(folder, 'server'));
    expect(await processStart(serverPid)).toBeDefined();
    owner.kill('SIGKILL');
    const again = await keep(startRedis(options()));
    expect(again.pid).not.toBe(serverPid);
    expect(await processStart(serverPid)).toBeUndefined();
  });

  it('is survived even when the guard dies with it: the next start stops the orphan', async () => {
    const { owner, serverPid } = await runOwner(join(folder, 'server'));
    const guards = await guardsOf(serverPid);
    for (const guard of guards) process.kill(guard, 'SIGKILL');
    owner.kill('SIGKILL');
    await keep(startRedis(options()));
    expect(await processStart(serverPid)).toBeUndefined();
  });
});

/** The guard leads the server's process group; its watcher is in it too. */
async function guardsOf(serverPid: number): Promise<number[]> {
  const lines = (await runCommand('ps', ['-eo', 'pid=,pgid='])).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const group = processes.find(([pid]) => pid === serverPid)?.[1];
  return processes.flatMap(([pid, pgid]) => (pgid === group && pid !== serverPid ? [pid] : []));
}

describe('startRedis', () => {
  it('gives a server that writes every change down, evicts nothing and wants the password', async () => {
    const server = await keep(startRedis(options()));
    const config = await withRedis(server.url, async (redis) => [
      await redis.config('GET', 'appendonly'),
      await redis.config('GET', 'maxmemory-policy'),
      await redis.config('GET', 'bind'),
    ]);
    expect(config).toEqual([
      ['appendonly', 'yes'],
      ['maxmemory-policy', 'noeviction'],
      ['bind', '127.0.0.1'],
    ]);
    const guest = withRedis(`redis://127.0.0.1:${server.port}`, (redis) => redis.get('x'));
    await expect(guest).rejects.toThrow(/NOAUTH/);
    const kept = join(options().dataDir, 'password');
    expect((await stat(kept)).mode & 0o777).toBe(0o600);
    expect(server.url).toContain(`:${await readFile(kept, 'utf8')}@`);
  });

  it('keeps what was written when the server is killed, and starts again on the same folder', async () => {
    const value = randomUUID();
    const first = await keep(startRedis(options()));
    await withRedis(first.url, (redis) => redis.set('kept', value));
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    await first.stop();
    const second = await keep(startRedis(options()));
    expect(await withRedis(second.url, (redis) => redis.get('kept'))).toBe(value);
  });
});
