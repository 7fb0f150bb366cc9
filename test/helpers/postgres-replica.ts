import { appendFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#core/logger';
import { startPostgres } from '#embedded/postgres';
import type { RunningServer } from '#embedded/running-server';
import { testCacheDir } from './services.ts';

export interface ReplicatedPostgres {
  readonly primaryUrl: string;
  readonly replicaUrl: string;
  /** The replica takes nothing more from its primary. */
  stopReplica(): Promise<void>;
  stop(): Promise<void>;
}

/** A PostgreSQL and a standby that streams from it, made from a copy of its folder while it is stopped. */
export async function startReplicatedPostgres(): Promise<ReplicatedPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-replica-'));
  const [primaryDir, replicaDir] = [join(folder, 'primary'), join(folder, 'replica')];
  const start = (dataDir: string, port?: number): Promise<RunningServer> =>
    startPostgres({ dataDir, cacheDir: testCacheDir(), logger: silentLogger, durable: false, port });
  const first = await start(primaryDir);
  await first.stop();
  await mkdir(replicaDir, { mode: 0o700 });
  for (const name of ['cluster', 'password'])
    await cp(join(primaryDir, name), join(replicaDir, name), { recursive: true, preserveTimestamps: true });
  const primary = await start(primaryDir, first.port);
  const { username, password, port } = new URL(primary.url);
  const from = `host=127.0.0.1 port=${port} user=${username} password=${password}`;
  await appendFile(join(replicaDir, 'cluster', 'postgresql.auto.conf'), `primary_conninfo = '${from}'\n`);
  await writeFile(join(replicaDir, 'cluster', 'standby.signal'), '');
  const replica = await start(replicaDir);
  return {
    primaryUrl: primary.url,
    replicaUrl: replica.url,
    stopReplica: () => replica.stop(),
    async stop() {
      await replica.stop();
      await primary.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
