import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const SITES = new Map([
  ['near-1', 'near'],
  ['near-2', 'near'],
  ['far-1', 'far'],
  ['far-2', 'far'],
]);
const HOSTS = [...SITES.keys()];

describe('a rollout to enrolled workers of two sites', () => {
  const made = ['shared', 'limited'].map((name) => {
    const file = sampleFile(`${name}.bin`, 16 * MIB + 5, name);
    return { name, file, dag: makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' }) };
  });
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    const ipfs = Object.fromEntries(made.map(({ dag, file }) => [dag.cid, file.content]));
    const blocks = new Map(made.flatMap(({ dag }) => [...dag.blocks]));
    origin = await startOrigin({ ipfs, blocks }, [], { bytesPerSecond: 4 * MIB });
    const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    const envOf = (host: string) => ({ HAULIER_LABELS: `site=${SITES.get(host)}` });
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, env, envOf });
    const { client } = system;
    await system.awaitHosts(HOSTS.length);
    for (const { name, file, dag } of made) {
      const { path, sha256, content } = file;
      const files = [{ path, sha256, cid: dag.cid, sizeBytes: content.size }];
      await client.publishVersion({ name, version: '1', files });
    }
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  const sentCopies = (index: number): number => {
    const { dag, file } = made[index]!;
    const asked = origin.requests.filter(({ path }) => path.includes(dag.cid));
    return asked.reduce((sum, { bytesSent }) => sum + bytesSent, 0) / file.content.size;
  };

  it('EX2 keeps the limit of a site over all of its hosts, and not for other sites', async () => {
    const { client } = system;
    const sizeBytes = made[1]!.file.content.size;
    const limit = 2 * MIB;
    await client.setSiteLimit('near', { bytesPerSecond: limit });
    const { setAt } = (await client.listSites()).find(({ site }) => site === 'near')!.limit!;
    // The sites of the hosts too: a host that announced before it was known by its labels is remembered without them.
    await until(() => Date.now() - Date.parse(setAt) > 6000, { what: 'the API knows the limit' });
    const startedAt = performance.now();
    const { id } = await client.createRollout({ models: ['limited@1'], selector: 'site=near' });
    const isDone = async (): Promise<boolean> => (await client.getRollout(id)).state === 'succeeded';
    await until(isDone, { what: 'the rollout succeeds' });
    // One copy enters the site, and not faster than the limit; the hosts give each other the rest.
    expect(performance.now() - startedAt).toBeGreaterThan((0.8 * 1000 * sizeBytes) / limit);
    expect(sentCopies(1)).toBeLessThan(1.5);
    await client.dropSiteLimit('near');
  });

  it('N8 counts the copies that left the origin as the origin does, and keeps the numbers of the swarm', async () => {
    const { client } = system;
    const { id } = await client.createRollout({ models: ['shared@1'], selector: '' });
    const isDone = async (): Promise<boolean> => (await client.getRollout(id)).state === 'succeeded';
    await until(isDone, { what: 'the rollout succeeds' });
    const ended = async () => {
      const [swarm] = (await client.listRolloutSwarms(id)).swarms;
      return swarm?.doneHosts === HOSTS.length ? swarm : undefined;
    };
    const swarm = await until(ended, { what: 'the last host said that it has the file' });
    const { originCopies } = await client.getRollout(id);
    expect(originCopies).toEqual({ copies: expect.closeTo(swarm.originCopies, 6), allowed: 1 });
    expect(Math.abs(swarm.originCopies - sentCopies(0))).toBeLessThan(0.1);
    expect(swarm.originCopies).toBeLessThan(1.5);
    expect(swarm.sites.map(({ site, hosts }) => [site, hosts])).toEqual([
      ['far', 2],
      ['near', 2],
    ]);
    expect(swarm.files[0]).toMatchObject({ model: 'shared', path: 'shared.bin' });
    expect(swarm.elapsedMs).toBeGreaterThan(0);
    expect([swarm.timesBound, swarm.bottleneck]).toEqual([expect.any(Number), expect.any(String)]);
    expect((await client.listSwarms()).swarms).toContainEqual(
      expect.objectContaining({ cid: made[0]!.dag.cid, hosts: 4 }),
    );
  });
});
