import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { checkRedis } from '#queue/check-redis';
import { CommandListener, publishCommand, publishLimits } from '#queue/commands/commands';
import { connectPatiently, disconnect, type RedisClient, type RedisSettings } from '#queue/connection';
import { EventPublisher } from '#queue/events/event-publisher';
import { EventReader } from '#queue/events/event-reader';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { downloadQueue, eventStreamKey, queueKey, SHARDS, shardOf, swarmKey } from '#queue/keys';
import { readEpochs, writeEpoch } from '#queue/epoch';
import { readSwarm } from '#queue/swarm/read-swarm';
import { pingRedis } from '#queue/ping';
import { aJob } from '../../helpers/jobs.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { startRedisCluster, type RedisCluster } from '../../helpers/redis-cluster.ts';
import { PASSWORD } from '../../helpers/redis-server.ts';
import { until } from '../../helpers/until.ts';
import { AnnouncingHost, fileOf } from './swarm/swarm-kit.ts';

expectNoLeaks();

describe('a Redis Cluster of three masters', () => {
  let cluster: RedisCluster;
  let settings: RedisSettings;
  let redis: RedisClient;
  let queues: DownloadQueues;
  const stops: (() => Promise<void>)[] = [];
  const ranBy = new Map<string, string[]>();

  beforeAll(async () => {
    cluster = await startRedisCluster();
    settings = { url: cluster.url, prefix: '{haulier}' };
    redis = connectPatiently(settings, 'test', silentLogger);
    queues = new DownloadQueues({ redis: settings, logger: silentLogger });
    await until(() => queues.redis.status === 'ready', { what: 'the connection is ready' });
  });
  afterAll(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await queues.stop();
    disconnect(redis);
    await cluster.stop();
  });

  const masterOf = (host: string | null) => cluster.masterOf(queueKey(downloadQueue(settings.prefix, host)));

  /** A host for each master, by master. */
  async function hostsByMaster(): Promise<string[]> {
    const hosts: string[] = [];
    for (let n = 0; n < 40; n += 1) hosts[await masterOf(`gpu-${n}`)] ??= `gpu-${n}`;
    return hosts;
  }

  /** The worker of a host; it is started once. @returns the ids of the jobs that it ran */
  async function consume(host: string): Promise<string[]> {
    const known = ranBy.get(host);
    if (known !== undefined) return known;
    const ran: string[] = [];
    ranBy.set(host, ran);
    const own = connectPatiently(settings, `worker-${host}`, silentLogger);
    const consumer = new JobConsumer({
      redis: own,
      prefix: settings.prefix,
      identity: { workerId: randomUUID(), bootId: randomUUID() },
      host,
      pool: false,
      concurrency: 2,
      handler: async (job) => {
        ran.push(downloadJob.id(job));
        return { do: 'done' };
      },
      onUnhandledFailure: () => undefined,
      logger: silentLogger,
    });
    stops.push(async () => {
      await consumer.stop();
      disconnect(own);
    });
    await consumer.start();
    return ran;
  }

  it('L11 leases pieces of many files, each by one master', async () => {
    const files = Array.from({ length: 12 }, (_, n) => fileOf(n + 2));
    for (const file of files) {
      const [a, b] = [
        new AnnouncingHost({ redis, settings }, 'a', file),
        new AnnouncingHost({ redis, settings }, 'b', file),
      ];
      await Promise.all([a.announce(), b.announce()]);
      const pieces = [...a.leases, ...b.leases].map(({ piece }) => piece);
      expect([pieces.length, new Set(pieces).size]).toEqual([2, 2]);
      expect((await readSwarm(redis, settings.prefix, file.cid))!.hosts).toHaveLength(2);
    }
    const keys = files.map(({ cid, sizeBytes }) => swarmKey(settings.prefix, cid, sizeBytes));
    expect(new Set(await Promise.all(keys.map((key) => cluster.masterOf(key))))).toEqual(new Set([0, 1, 2]));
  });

  it('I14 spreads the queues of hosts over its masters, and takes the jobs of many hosts in one call', async () => {
    const jobs = Array.from({ length: 64 }, (_, n) => ({ host: `many-${n}`, job: aJob() }));
    const { added, delayed } = await queues.addAll([...jobs, { host: null, job: aJob() }]);
    expect({ added: added.length, delayed }).toEqual({ added: 65, delayed: [] });
    const states = await queues.inspect(jobs.map(({ host, job }) => ({ host, id: downloadJob.id(job) })));
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['open']));
    const masters = new Set(await Promise.all(jobs.map(({ host }) => masterOf(host))));
    expect(masters).toEqual(new Set([0, 1, 2]));
  });

  it('carries jobs, events, commands and limits', async () => {
    const hosts = await hostsByMaster();
    const ran = await Promise.all(hosts.map(consume));
    const jobs = hosts.map((host) => ({ host, job: aJob() }));
    await queues.addAll(jobs);
    for (const [index, { job }] of jobs.entries())
      await until(() => ran[index]!.includes(downloadJob.id(job)), { what: `${hosts[index]} ran its job` });

    const heard: string[] = [];
    const reader = new EventReader({
      redis: settings,
      group: 'test',
      consumer: 'one',
      onBatches: async (batches) => {
        for (const { batch } of batches) heard.push(...batch.events.map(({ type }) => type));
      },
      logger: silentLogger,
    });
    reader.start();
    const publisher = new EventPublisher({
      redis,
      prefix: settings.prefix,
      host: 'gpu-1',
      bootId: randomUUID(),
      logger: silentLogger,
    });
    publisher.publish({
      type: 'download.started',
      downloadId: randomUUID(),
      generation: 1,
      at: 1,
      attempt: 1,
      resumedBytes: 0,
    });
    await publisher.flush();
    await until(() => heard.includes('download.started'), { what: 'the event is read' });
    await Promise.all([reader.stop(), publisher.stop()]);

    const commands: string[] = [];
    let rate: number | undefined;
    const listener = new CommandListener({
      settings,
      redis,
      host: 'gpu-1',
      pool: true,
      onCommand: ({ downloadId }) => commands.push(downloadId),
      onLimits: ({ workerBytesPerSecond }) => (rate = workerBytesPerSecond),
      logger: silentLogger,
    });
    listener.start();
    const ids = [randomUUID(), randomUUID()];
    for (const [index, host] of ['gpu-1', null].entries())
      await publishCommand(queues.redis, settings.prefix, host, {
        version: 1,
        downloadId: ids[index]!,
        generation: 1,
        command: 'pause',
      });
    await publishLimits(queues.redis, settings.prefix, 'gpu-1', { workerBytesPerSecond: 5 });
    await listener.recall(ids);
    expect([...new Set(commands)].sort()).toEqual([...ids].sort());
    expect(rate).toBe(5);
    listener.stop();
  });

  it('K34 answers a ping, and says what to change where it refuses the password', async () => {
    await pingRedis(settings);
    await expect(pingRedis({ ...settings, url: settings.url.replace(PASSWORD, 'wrong') })).rejects.toThrow(
      'Redis refuses the user name or the password of REDIS_URL',
    );
    await expect(pingRedis({ ...settings, url: settings.url.replace(`:${PASSWORD}@`, '') })).rejects.toThrow(
      'Redis wants a password',
    );
    await expect(pingRedis({ ...settings, url: 'redis+cluster://127.0.0.1:1' }, 1_000)).rejects.toThrow(
      'Redis does not answer',
    );
  });

  it('I06 refuses it where a master may evict keys, and warns of one that stops all hosts with one shard', async () => {
    expect((await checkRedis(redis)).warnings).toEqual([]);
    const cover = (value: string) =>
      Promise.all([0, 1, 2].map((n) => cluster.call(n, 'CONFIG', 'SET', 'cluster-require-full-coverage', value)));
    await cover('yes');
    expect((await checkRedis(redis)).warnings.join()).toContain('set "cluster-require-full-coverage no"');
    await cover('no');
    await cluster.call(1, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(checkRedis(redis)).rejects.toThrow('maxmemory-policy "allkeys-lru"');
    await cluster.call(1, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  });

  it('I31 one shard lost: its jobs are delayed, those of the others run, and it is known again when it is back', async () => {
    const hosts = await hostsByMaster();
    const lost = (await cluster.masterOf(eventStreamKey(settings.prefix))) === 0 ? 1 : 0;
    const others = hosts.filter((_, master) => master !== lost);
    const ran = await Promise.all(hosts.map(consume));
    await writeEpoch(redis, settings.prefix, shardOf(hosts[lost]!), 'kept');
    await cluster.kill(lost);
    const jobs = hosts.map((host) => ({ host, job: aJob() }));
    const idOf = (host: string): string => downloadJob.id(jobs.find((one) => one.host === host)!.job);
    const first = await queues.addAll(jobs);
    expect(first.delayed).toEqual([idOf(hosts[lost]!)]);
    expect([...first.added].sort()).toEqual(others.map(idOf).sort());
    expect(queues.shards.away()).toContain(shardOf(hosts[lost]!));
    for (const host of others)
      await until(() => ran[hosts.indexOf(host)]!.includes(idOf(host)), { what: `${host} ran its job` });
    const states = await queues.inspect(hosts.map((host) => ({ host, id: idOf(host) })));
    expect(states[lost]).toEqual({ state: 'unknown' });
    const areMissed = async () =>
      (await checkRedis(queues.redis)).warnings.join().includes('slots of the redis cluster are not served');
    await until(areMissed, { what: 'the check warns of slots that are not served' });

    await cluster.bringBack(lost);
    const epochs = () => readEpochs(queues.redis, settings.prefix, queues.shards);
    await until(async () => (await epochs()).size === SHARDS.length, { what: 'every shard answers' });
    expect((await epochs()).get(shardOf(hosts[lost]!))).toBe('kept');
    expect(queues.shards.away()).toEqual([]);
    await queues.addAll(jobs);
    await until(() => ran[lost]!.includes(idOf(hosts[lost]!)), { what: 'the host of the lost shard runs its job' });
  });

  it('I32 one shard replaced by an empty one: its sentinel is missing, the others are kept', async () => {
    const hosts = await hostsByMaster();
    const lost = await masterOf(hosts[2]!);
    for (const shard of SHARDS) await writeEpoch(redis, settings.prefix, shard, 'kept');
    await cluster.kill(lost);
    await cluster.replaceEmpty(lost);
    const epochs = () => readEpochs(queues.redis, settings.prefix, queues.shards);
    await until(async () => (await epochs()).size === SHARDS.length, { what: 'every shard answers' });
    const found = await epochs();
    expect(found.get(shardOf(hosts[lost]!))).toBeNull();
    expect([...found.values()].filter((epoch) => epoch === 'kept').length).toBeGreaterThan(0);
    const ran = await consume(hosts[lost]!);
    const job = aJob();
    await queues.addAll([{ host: hosts[lost]!, job }]);
    await until(() => ran.includes(downloadJob.id(job)), { what: 'the new node carries jobs' });
  });
});
