import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { downloadQueue, eventStreamKey, queueKey } from '#queue/keys';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { startRedisCluster, type RedisCluster } from '../helpers/redis-cluster.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { orderingOf, type Ordering } from './ordering.ts';

const EAGER = { HAULIER_SILENT_AFTER: '2s', HAULIER_SWEEP_EVERY: '500ms' };
const PREFIX = '{haulier}';

describe('the system on a Redis Cluster', () => {
  const files = ['both-a', 'both-b', 'moving', 'while-away', 'others', 'queued', 'late'].map((name) =>
    sampleFile(`${name}.bin`, 4 * MIB, name),
  );
  let cluster: RedisCluster;
  let origin: Origin;
  let system: System;
  let order: Ordering['order'];
  let expectWhole: Ordering['expectWhole'];
  /** The master that is taken away, a host whose queue is there, and one whose queue is where the events are. */
  let victim: number;
  let onVictim: string;
  let elsewhere: string;

  beforeAll(async () => {
    cluster = await startRedisCluster();
    const events = await cluster.masterOf(eventStreamKey(PREFIX));
    victim = (events + 1) % 3;
    const masterOf = (host: string) => cluster.masterOf(queueKey(downloadQueue(PREFIX, host)));
    const hosts = Array.from({ length: 40 }, (_, n) => `host-${n}`);
    const masters = await Promise.all(hosts.map(masterOf));
    onVictim = hosts[masters.indexOf(victim)]!;
    elsewhere = hosts[masters.indexOf(events)]!;
    origin = await startOrigin(hubOf(files), [], { bytesPerSecond: 4 * MIB });
    system = await startSystem({
      origin,
      redisUrl: cluster.url,
      prefix: PREFIX,
      hosts: [onVictim, elsewhere],
      apiEnv: EAGER,
    });
    ({ order, expectWhole } = orderingOf(system, files));
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await cluster.stop();
  });

  const isAwayKnown = () =>
    until(async () => (await system.logOf('api')).includes('shard of the redis cluster is away'), {
      what: 'the API notices that shards are away',
    });

  it('downloads to hosts of several shards', async () => {
    const ids = await Promise.all([order('both-a', onVictim), order('both-b', elsewhere)]);
    await expectWhole(ids[0], 'both-a');
    await expectWhole(ids[1], 'both-b');
  });

  it('I31 a lost shard: its hosts wait, the others go on, and nothing is lost when it returns', async () => {
    const { fault, go } = hold(2 * MIB);
    origin.rules.push({ path: 'moving.bin', fault });
    const moving = await order('moving', onVictim);
    await system.awaitDownload(moving, ({ status }) => status === 'in_progress');
    await cluster.kill(victim);
    await isAwayKnown();
    const waits = await order('while-away', onVictim);
    const others = await order('others', elsewhere);
    await expectWhole(others, 'others');
    expect((await system.client.getDownload(waits)).status).toBe('pending');
    expect((await fetch(`${system.apiUrl}/readyz`)).status).toBe(200);
    origin.rules.pop();
    go();
    await cluster.bringBack(victim);
    await expectWhole(moving, 'moving');
    await expectWhole(waits, 'while-away');
  });

  it('I32 a shard that is replaced by an empty one: what was queued there is queued again', async () => {
    const worker = system.workers[0]!;
    await system.kill(worker);
    const queued = await order('queued', onVictim);
    await system.awaitDownload(queued, ({ reason }) => reason !== 'not_queued_yet');
    await cluster.kill(victim);
    const late = await order('late', onVictim);
    await cluster.replaceEmpty(victim);
    await system.startWorker(onVictim);
    await expectWhole(queued, 'queued');
    await expectWhole(late, 'late');
  });
});
