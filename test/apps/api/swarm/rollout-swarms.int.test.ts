import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutSwarms } from '#contracts/http/rollouts/rollout-swarms';
import type { Problem } from '#contracts/http/problem';
import type { Site } from '#contracts/http/sites';
import type { SwarmList } from '#contracts/swarm-view';
import { MIB } from '#core/units';
import { followOnce } from '../../../../apps/api/swarm/follow-swarms.ts';
import { conductAll } from '../../../../apps/api/rollouts/conductor.ts';
import { startApp, type TestApp } from '../start-app.ts';
import { CID, EnrolledHost, NAMED } from './fleet-kit.ts';

describe('how hosts of a rollout share its files', () => {
  let api: TestApp;
  let hosts: EnrolledHost[];
  let id: string;
  const PIECES = 4;
  const ask = async <Answer>(path: string): Promise<Answer> => (await api.call('GET', path)).json<Answer>();

  beforeAll(async () => {
    api = await startApp();
    const file = { path: 'model.onnx', cid: NAMED, sizeBytes: PIECES * MIB };
    await api.call('POST', '/api/models/shared/versions', {
      name: 'shared',
      version: '1',
      type: 'test',
      files: [file],
    });
    hosts = [await EnrolledHost.enrol(api, 'eu-1', PIECES), await EnrolledHost.enrol(api, 'us-1', PIECES)];
    for (const [name, site] of [
      ['eu-1', 'eu'],
      ['us-1', 'us'],
    ])
      await api.call('PATCH', `/api/hosts/${name}/labels`, { site });
    const made = await api.call('POST', '/api/rollouts', { models: ['shared@1'], selector: '', originCopies: 2 });
    expect([made.statusCode, made.body]).toEqual([201, expect.any(String)]);
    ({ id } = made.json<Rollout>());
    await conductAll(api.deps);
    await conductAll(api.deps);
  });
  afterAll(() => api.stop());

  /** The host fetches all that it is leased, until it has the file. */
  const fetchAll = async (host: EnrolledHost): Promise<string[]> => {
    const from: string[] = [];
    for (let round = 0; round < 20 && !host.map.isComplete; round += 1) {
      const { leases } = await host.announce(api, { rate: { downBytesPerSecond: MIB, upBytesPerSecond: MIB } });
      from.push(...leases.map((lease) => lease.from));
      for (const { piece } of leases) host.map.add(piece);
    }
    await host.announce(api);
    return from;
  };

  it('N8 lets as many copies leave the origin as were asked for, shows them, and keeps the numbers when the swarm is gone', async () => {
    expect((await ask<Rollout>(`/api/rollouts/${id}`)).originCopies).toEqual({ copies: null, allowed: 2 });
    expect(new Set(await fetchAll(hosts[0]!))).toEqual(new Set(['origin']));
    expect(new Set(await fetchAll(hosts[1]!))).toEqual(new Set(['origin']));
    await followOnce(api.deps);
    expect((await ask<Rollout>(`/api/rollouts/${id}`)).originCopies).toEqual({ copies: 2, allowed: 2 });
    const shown = await ask<RolloutSwarms>(`/api/rollouts/${id}/swarms`);
    expect(shown).toMatchObject({
      originCopies: { copies: 2, allowed: 2 },
      swarms: [
        {
          ...{ cid: CID, files: [{ model: 'shared', version: '1', path: 'model.onnx' }], sizeBytes: PIECES * MIB },
          ...{ hosts: 2, doneHosts: 2, originCopies: 2 },
          sites: [
            { site: 'eu', hosts: 1, copies: 1 },
            { site: 'us', hosts: 1, copies: 1 },
          ],
        },
      ],
    });
    const [swarm] = shown.swarms;
    expect(swarm!.elapsedMs).toBeGreaterThan(0);
    expect(swarm!.timesBound).toBeCloseTo(swarm!.elapsedMs / swarm!.boundMs!, 6);
    const { redis } = api.deps.queues;
    await redis.del(...(await redis.keys(`${api.deps.prefix.slice(0, -1)}-${CID}*`)));
    await followOnce(api.deps);
    expect(await ask<RolloutSwarms>(`/api/rollouts/${id}/swarms`)).toEqual(shown);
  });

  it('N8 counts hosts that fetch the file for no rollout in none', async () => {
    const [other] = await EnrolledHost.enrolMany(api, ['single'], PIECES);
    await fetchAll(other!);
    await followOnce(api.deps);
    expect((await ask<RolloutSwarms>(`/api/rollouts/${id}/swarms`)).swarms[0]).toMatchObject({ hosts: 2 });
  });

  it('lists swarms that are alive', async () => {
    const { swarms, total } = await ask<SwarmList>('/api/swarms');
    expect(total).toBe(1);
    expect(swarms[0]).toMatchObject({ cid: CID, files: [{ model: 'shared' }], sizeBytes: PIECES * MIB, hosts: 1 });
    expect((await api.call('GET', '/api/swarms?limit=0')).statusCode).toBe(400);
  });

  it('N8 counts what hosts fetched while the tracker did not hear of them, with the times that they tell', async () => {
    const took = [2.5 * MIB, PIECES * MIB];
    for (const [index, host] of hosts.entries())
      await host.announce(api, {
        boot: 'second',
        file: { originBytes: took[index], transfer: { beganMs: 60_000, endedMs: 20_000 } },
      });
    await followOnce(api.deps);
    const [swarm] = (await ask<RolloutSwarms>(`/api/rollouts/${id}/swarms`)).swarms;
    expect(swarm).toMatchObject({ hosts: 2, doneHosts: 2 });
    // The hosts announce one after the other, so each tells its times a little later.
    expect(swarm!.elapsedMs).toBeGreaterThanOrEqual(40_000);
    expect(swarm!.elapsedMs).toBeLessThan(50_000);
    expect(swarm!.sites).toEqual([
      { site: 'eu', hosts: 1, copies: 2.5 / PIECES },
      { site: 'us', hosts: 1, copies: 1 },
    ]);
  });

  it('refuses copies that are no whole number from 1 on, and names the field', async () => {
    for (const originCopies of [0, 1.5, -1, 'two']) {
      const refused = await api.call('POST', '/api/rollouts', { models: ['shared@1'], selector: '', originCopies });
      expect([refused.statusCode, refused.json<Problem>().errors?.[0]?.pointer]).toEqual([400, '/originCopies']);
    }
  });

  it('EX2 divides the limit of a site among the hosts that fetch from outside of it', async () => {
    const names = ['ap-1', 'ap-2', 'ap-3'];
    const fetching = await EnrolledHost.enrolMany(api, names, PIECES);
    for (const name of names) await api.call('PATCH', `/api/hosts/${name}/labels`, { site: 'ap' });
    const set = await api.call('PUT', '/api/sites/ap/limit', { bytesPerSecond: 9000 });
    expect(set.json<Site>()).toMatchObject({ site: 'ap', hosts: 3, budget: null, limit: { bytesPerSecond: 9000 } });
    const partOf = async (host: EnrolledHost, said = {}): Promise<unknown> =>
      (await host.announce(api, said)).limits?.outsideBytesPerSecond;
    const [one, two, three] = fetching as [EnrolledHost, EnrolledHost, EnrolledHost];
    const alone = { isFetching: true };
    expect([await partOf(one), await partOf(two, alone), await partOf(three, alone)]).toEqual([9000, 4500, 3000]);
    expect(await partOf(one)).toBe(3000);
    for (let piece = 0; piece < PIECES; piece += 1) two.map.add(piece);
    await two.announce(api);
    // The first one has no lease any more: the second one has all pieces.
    expect([await partOf(one), await partOf(two, alone), await partOf(one, alone)]).toEqual([4500, 4500, 3000]);
    expect(await partOf(hosts[0]!)).toBeNull();
    for (const bytesPerSecond of [0, 1.5, 'x']) {
      const refused = await api.call('PUT', '/api/sites/ap/limit', { bytesPerSecond });
      expect([refused.statusCode, refused.json<Problem>().errors?.[0]?.pointer]).toEqual([400, '/bytesPerSecond']);
    }
    const dropped = (await api.call('DELETE', '/api/sites/ap/limit')).json<Site>();
    expect(dropped).toMatchObject({ limit: null });
  });
});
