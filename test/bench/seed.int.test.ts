import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROLLOUT_STATES } from '#core/rollout/rollout-state';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { HOUR_MS } from '#core/units';
import { seed, type SeedPlan } from '../../bench/seed/seed-all.ts';
import { startApp, type TestApp } from '../apps/api/start-app.ts';
import { MIGRATIONS_FOLDER } from '../helpers/database.ts';

describe('the seed of a fleet', () => {
  const steps: string[] = [];
  const plan: SeedPlan = {
    ...{ hosts: 60, days: 3, downloads: 3000, onlineForMs: HOUR_MS, now: new Date(), migrations: MIGRATIONS_FOLDER },
    report: (step, done) => steps.push(`${step} ${done}`),
  };
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const get = async <Body>(path: string): Promise<Body> => {
    const answer = await api.call('GET', path);
    expect([path, answer.statusCode]).toEqual([path, 200]);
    return answer.json<Body>();
  };

  it('has hosts, models, downloads in every status with their tries, and rollouts in every state', async () => {
    const made = await seed(api.deps.database, plan);
    expect(made).toMatchObject({ hosts: 60, downloads: 3000, rollouts: 17 });
    expect(made.tries).toBeGreaterThan(3000);
    expect(steps.some((step) => step.startsWith('downloads 3000 of 3000'))).toBe(true);
    const { downloads } = await get<{ downloads: Record<string, number> }>('/api/status');
    expect(DOWNLOAD_STATUSES.filter((status) => downloads[status] === 0)).toEqual([]);
    const { rollouts } = await get<{ rollouts: { state: string }[] }>('/api/rollouts?limit=100');
    const states = new Set(rollouts.map(({ state }) => state));
    expect(ROLLOUT_STATES.filter((state) => !states.has(state))).toEqual([]);
  });

  it('can be read through the API: hosts that are online without workers, one rollout and its errors, one download, the numbers', async () => {
    const { hosts } = await get<{ hosts: { name: string; status: string }[] }>('/api/hosts?limit=500');
    expect(hosts.filter(({ status }) => status === 'online').length).toBeGreaterThan(50);
    expect(hosts.some(({ status }) => status === 'offline')).toBe(true);
    const { rollouts } = await get<{ rollouts: { id: string; state: string }[] }>('/api/rollouts?state=running');
    const { id } = rollouts[0]!;
    await get(`/api/rollouts/${id}`);
    await get(`/api/rollouts/${id}/hosts`);
    await get(`/api/rollouts/${id}/errors`);
    const list = await get<{ downloads: { id: string }[] }>(`/api/downloads?host=${hosts[0]!.name}&status=success`);
    const one = await get<{ tries: unknown[] }>(`/api/downloads/${list.downloads.at(-1)!.id}`);
    expect(one.tries.length).toBeGreaterThan(0);
    await get(`/api/hosts/${hosts[0]!.name}`);
    await get('/api/models/whisper-base');
    const { layers } = await get<{ layers: { layer: string; tries: number }[] }>('/api/metrics/summary?window=3d');
    const tried = layers.filter(({ tries }) => tries > 0).map(({ layer }) => layer);
    expect(tried).toEqual(expect.arrayContaining(['ipfs', 'huggingface', 'bundled', 'peer']));
  });

  it('adds nothing when it is run again', async () => {
    expect(await seed(api.deps.database, plan)).toMatchObject({ hosts: 0, downloads: 0, tries: 0, rolloutHosts: 0 });
  });
});
