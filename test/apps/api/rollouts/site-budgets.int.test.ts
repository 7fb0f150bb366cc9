import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Site, SiteList } from '#contracts/http/sites';
import type { RolloutPlan } from '#contracts/http/rollouts/rollout';
import type { Problem } from '#contracts/http/problem';
import { HOUR_MS } from '#core/units';
import { releaseRepairs } from '#database/hosts/repairs';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

/** Of a model of the kit: two files of 1000 bytes. */
const MODEL_BYTES = 2000;

describe('the byte budget of a site', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
  });
  afterEach(() => kit.stop());

  const set = (site: string, bytes: number, per = '1h') =>
    kit.api.call('PUT', `/api/sites/${site}/budget`, { bytes, per });
  const site = async (name: string): Promise<Site> =>
    (await kit.api.call('GET', '/api/sites')).json<SiteList>().sites.find((one) => one.site === name)!;
  const at = (name: string, hosts: number) => kit.report(many(hosts, `${name}-`), { gpu: 'true', site: name });

  it('N61 lets so many hosts begin as it has bytes for, its boundary included, and holds back no other site', async () => {
    await at('eu', 4);
    await at('us', 2);
    expect((await set('eu', 2 * MODEL_BYTES)).statusCode).toBe(200);
    const { id } = await kit.create({});
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000', 'eu-001', 'us-000', 'us-001']);
    expect(await site('eu')).toMatchObject({
      ...{ hosts: 4, onlineHosts: 4 },
      budget: { bytes: 4000, windowSeconds: 3600, usedBytes: 4000, freeBytes: 0, setBy: 'test write' },
    });
    expect(await site('us')).toMatchObject({ budget: null });
    await kit.end(['us-000', 'us-001', 'eu-000'], 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'running', counts: { running: 1, pending: 2 } });
  });

  it('N61 pauses a rollout that can go on with no host, and lets it go on when the window is over', async () => {
    await at('eu', 2);
    await set('eu', 2 * MODEL_BYTES - 1);
    const { id } = await kit.create({});
    await kit.end(many(1, 'eu-'), 'success');
    const paused = await kit.get(id);
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget', message: expect.stringContaining('eu') });
    const { freesAt } = (await site('eu')).budget!;
    kit.pass(Date.parse(freesAt!) - kit.api.deps.now().getTime() - 2000);
    await at('eu', 2);
    await kit.conduct();
    expect((await kit.get(id)).state).toBe('paused');
    kit.pass(2000);
    await at('eu', 2);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-001']);
    expect((await kit.get(id)).state).toBe('running');
  });

  it('N61 lets a rollout go on at once when it is raised, or taken away', async () => {
    await at('eu', 3);
    await set('eu', MODEL_BYTES);
    const plan = (await kit.post({}, {}, '?dryRun=true')).json<RolloutPlan>();
    expect(plan.sites).toEqual([{ site: 'eu', hosts: 3, bytes: 3 * MODEL_BYTES, freeBudgetBytes: MODEL_BYTES }]);
    const { id } = await kit.create({});
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000']);
    await set('eu', 2 * MODEL_BYTES);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000', 'eu-001']);
    const dropped = await kit.api.call('DELETE', '/api/sites/eu/budget');
    expect([dropped.statusCode, dropped.json<Site>().budget]).toEqual([200, null]);
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toHaveLength(3);
  });

  it('N61 is kept by repairs as well, together with rollouts', async () => {
    await at('eu', 3);
    const { id } = await kit.create({});
    await kit.end(many(3, 'eu-'), 'success');
    expect((await kit.get(id)).state).toBe('succeeded');
    await set('eu', MODEL_BYTES + 500);
    const { pool } = kit.api.deps.database;
    const lose = `UPDATE downloads SET status = 'pending', lost_at = $1, repair_waits = true WHERE host = ANY($2::text[])`;
    await pool.query(lose, [kit.api.deps.now(), ['eu-000', 'eu-001']]);
    const repair = async (): Promise<number> => {
      const aliveSince = new Date(kit.api.deps.now().getTime() - HOUR_MS);
      const limits = { hostsPerSite: 10, shareOfSite: 1, aliveSince };
      return (await releaseRepairs(kit.api.deps.database, limits, kit.api.deps.now())).length;
    };
    expect(await repair()).toBe(2);
    expect(await repair()).toBe(0);
    expect(await site('eu')).toMatchObject({ waitingRepairs: 1, budget: { usedBytes: MODEL_BYTES, freeBytes: 500 } });
    const { id: next } = await kit.create({ models: ['whisper@2'] });
    expect(await kit.get(next)).toMatchObject({ state: 'paused', reason: 'budget' });
    kit.pass(HOUR_MS);
    await at('eu', 3);
    expect(await repair()).toBe(2);
  });

  it('N61 says what is wrong with a budget', async () => {
    for (const [path, body, words] of [
      ['eu', { bytes: 0, per: '1h' }, 'at least 1 byte'],
      ['eu', { bytes: 9, per: '99d' }, 'between 1s and 31d'],
      ['eu', { bytes: 9 }, '/per'],
      ['-eu-', { bytes: 9, per: '1h' }, 'letters, digits'],
    ] as const) {
      const answer = await kit.api.call('PUT', `/api/sites/${path}/budget`, body);
      expect([answer.statusCode, JSON.stringify(answer.json<Problem>())]).toEqual([
        400,
        expect.stringContaining(words),
      ]);
    }
  });
});
