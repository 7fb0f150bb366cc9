import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { downloadQueue, eventStreamKey, queueKey } from '#queue/keys';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { startReplicatedCluster, type ReplicatedCluster } from '../helpers/redis-cluster.ts';
import { whyNoTls } from '../helpers/redis-server.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const PREFIX = '{haulier}';
const noTls = await whyNoTls();

describe(`hosts that are enrolled on a Redis Cluster with replicas, ${noTls === undefined ? 'over TLS' : `not over TLS: ${noTls}`}`, () => {
  const files = ['before', 'moving', 'queued', 'after', 'late'].map((name) => sampleFile(`${name}.bin`, 4 * MIB, name));
  const named = (name: string): SampleFile => files.find(({ path }) => path === `${name}.bin`)!;
  let cluster: ReplicatedCluster;
  let origin: Origin;
  let system: System;
  /** The master of the event stream, which dies, and a host whose queue is there too; a second such host is not up. */
  let victim: number;
  let host: string;
  let absent: string;

  beforeAll(async () => {
    cluster = await startReplicatedCluster(noTls === undefined);
    victim = await cluster.masterOf(eventStreamKey(PREFIX));
    const hosts = Array.from({ length: 60 }, (_, n) => `host-${n}`);
    const masters = await Promise.all(hosts.map((one) => cluster.masterOf(queueKey(downloadQueue(PREFIX, one)))));
    [host = '', absent = ''] = hosts.filter((_, n) => masters[n] === victim);
    origin = await startOrigin(hubOf(files), [], { bytesPerSecond: 4 * MIB });
    const trust: Record<string, string> = cluster.caFile === undefined ? {} : { NODE_EXTRA_CA_CERTS: cluster.caFile };
    system = await startSystem({
      ...{ origin, redisUrl: cluster.url, prefix: PREFIX, enrol: true, hosts: [host], env: trust },
      apiEnv: { ...trust, HAULIER_SILENT_AFTER: '2s', HAULIER_SWEEP_EVERY: '500ms' },
    });
  });
  afterAll(async () => {
    await system?.stop();
    await origin?.close();
    await cluster?.stop();
  });

  async function order(name: string, to: string): Promise<string> {
    await system.client.publishVersion(sampleManifest(name, [named(name)]));
    return (await system.client.createDownloads({ model: name, host: to })).downloads[0]!.id;
  }

  async function expectWhole(id: string, name: string): Promise<void> {
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(await sha256OfFile(done.path!)).toBe(named(name).sha256);
  }

  const knowsUser = async (node: number, of: string): Promise<boolean> =>
    ((await cluster.call(node, 'ACL', 'USERS')) as string[]).some((user) => user.endsWith(`:worker:${of}`));
  const knowing = (nodes: readonly number[], of: string): Promise<boolean> =>
    Promise.all(nodes.map((node) => knowsUser(node, of))).then((known) => known.every(Boolean));

  it('N43 have a user on every node, replicas too, and get their files', async () => {
    const isEnrolled = async () => (await system.client.listHosts()).some(({ enrolment }) => enrolment === 'enrolled');
    await until(isEnrolled, { what: 'the host enrolled' });
    await until(() => knowing(cluster.nodes, host), { what: 'every node knows its user' });
    await expectWhole(await order('before', host), 'before');
    expect((await system.client.getHost(host)).enrolment).toBe('enrolled');
    expect(await system.client.listRefusedEvents()).toEqual([]);
  });

  it('I34 N44 the master of their queue and of the events dies: its replica takes over, and nothing is lost', async () => {
    const { fault, go } = hold(2 * MIB);
    origin.rules.push({ path: 'moving.bin', fault });
    const moving = await order('moving', host);
    await system.awaitDownload(moving, ({ status }) => status === 'in_progress');
    const queued = await order('queued', absent);
    await system.awaitDownload(queued, ({ reason }) => reason !== 'not_queued_yet');
    await cluster.failOver(victim);
    origin.rules.pop();
    go();
    await expectWhole(moving, 'moving');
    await expectWhole(await order('after', host), 'after');

    const { token } = await system.client.createEnrolmentToken({ host: absent });
    const env = { REDIS_URL: '', HAULIER_URL: system.apiUrl, HAULIER_ENROLMENT_TOKEN: token };
    await system.startWorker(absent, env);
    await expectWhole(queued, 'queued');
    expect(
      await knowing(
        cluster.nodes.filter((node) => node !== victim),
        absent,
      ),
    ).toBe(true);
    expect(await system.client.listRefusedEvents()).toEqual([]);
  });

  it('N44 a node that returns without its users gets all of them', async () => {
    await cluster.bringBack(victim);
    await until(async () => (await knowing([victim], host)) && (await knowing([victim], absent)), {
      what: 'the node that returned knows the users of both hosts',
    });
    await expectWhole(await order('late', absent), 'late');
  });
});
