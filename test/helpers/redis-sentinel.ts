import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DATA_LINES,
  killServer,
  PASSWORD,
  startRedisServer,
  withConnection,
  type RedisServer,
} from './redis-server.ts';
import { until } from './until.ts';

const MASTER = 'haulier-master';
const LINES = [...DATA_LINES, 'repl-diskless-sync-delay 0'];

export interface RedisWithSentinels {
  /** A `REDIS_URL`. */
  readonly url: string;
  /** Kills the master and waits until the Sentinels made its replica the master. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, a replica and three Sentinels, all with a password. */
export async function startRedisWithSentinels(): Promise<RedisWithSentinels> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-sentinel-'));
  const servers: RedisServer[] = [];
  const start = async (name: string, lines: readonly string[], args: readonly string[] = []): Promise<RedisServer> => {
    const server = await startRedisServer(join(folder, name), lines, { args });
    servers.push(server);
    return server;
  };
  const master = await start('master', LINES);
  const replica = await start('replica', [...LINES, `replicaof 127.0.0.1 ${master.port}`]);
  await until(() => withConnection(replica.port, async (redis) => /link_status:up/.test(await redis.info())), {
    what: 'the replica follows its master',
  });
  const watch = [
    `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
    `sentinel auth-pass ${MASTER} ${PASSWORD}`,
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 5000`,
    `sentinel sentinel-pass ${PASSWORD}`,
  ];
  const sentinels: RedisServer[] = [];
  for (const name of ['s1', 's2', 's3']) sentinels.push(await start(name, watch, ['--sentinel']));
  const masterPort = (sentinel: RedisServer): Promise<number> =>
    withConnection(sentinel.port, async (redis) => {
      const [, port] = (await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
      return Number(port);
    });
  for (const { port } of sentinels)
    await until(
      () =>
        withConnection(port, async (redis) => {
          const facts = (await redis.call('SENTINEL', 'MASTER', MASTER)) as string[];
          const valueOf = (name: string) => Number(facts[facts.indexOf(name) + 1]);
          return valueOf('num-slaves') === 1 && valueOf('num-other-sentinels') === 2;
        }),
      { what: 'the Sentinels know each other and the replica' },
    );
  return {
    url: `redis+sentinel://:${PASSWORD}@${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}/0?sentinelPassword=${PASSWORD}`,
    async failOver() {
      await killServer(master);
      await until(async () => (await Promise.all(sentinels.map(masterPort))).every((port) => port === replica.port), {
        what: 'the replica is the master',
      });
    },
    async stop() {
      await Promise.all(servers.map(({ process: server }) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
