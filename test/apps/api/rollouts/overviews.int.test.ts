import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { HostFacets, HostModels } from '#contracts/http/hosts';
import type { ModelCoverage } from '#contracts/http/models';
import type { RolloutHostStates, RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import type { HostList } from '#contracts/http/status';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

const OFFLINE_MS = 200_000;

/** Four hosts of Europe that got the first version, one of which failed, and two of America that are away. */
describe('overviews of a fleet', () => {
  let kit: RolloutKit;
  let id: string;
  beforeAll(async () => {
    kit = await startRollouts();
    await kit.report(many(2, 'us-'), { gpu: 'true', site: 'us-1' });
    kit.pass(OFFLINE_MS);
    await kit.report(many(4, 'eu-'), { gpu: 'true', site: 'eu-1' });
    const { pool } = kit.api.deps.database;
    await pool.query("UPDATE hosts SET store_bytes = 95, free_bytes = 5, worker_version = '0.9' WHERE name = 'eu-003'");
    await kit.api.call('POST', '/api/hosts/eu-000/drain');
    await kit.api.call('POST', '/api/hosts/eu-000/undrain');
    await kit.api.call('POST', '/api/models/whisper/pin', { version: '1' });
    id = (await kit.create({ selector: 'site=eu-1', onFailure: 'continue' })).id;
    await kit.end(many(3, 'eu-'), 'success');
    await kit.end(['eu-003'], 'failed', 'disk_full');
    await kit.api.call('POST', '/api/hosts/us-000/drain');
  });
  afterAll(() => kit.stop());

  const facets = async (query = ''): Promise<HostFacets> =>
    (await kit.api.call('GET', `/api/host-facets${query}`)).json();
  const names = async (query: string): Promise<string[]> =>
    (await kit.api.call('GET', `/api/hosts${query}`)).json<HostList>().hosts.map(({ name }) => name);

  it('count the hosts that match a filter by status, version, label and disk', async () => {
    expect(await facets()).toEqual({
      ...{ total: 6, online: 4, offline: 2, draining: 1, lowDisk: 1 },
      versions: { 1: 5, '0.9': 1 },
      labels: { gpu: { true: 6 }, site: { 'us-1': 2, 'eu-1': 4 } },
    });
    expect(await facets('?selector=site%3Deu-1&q=00')).toMatchObject({
      total: 4,
      offline: 0,
      labels: { gpu: { true: 4 } },
    });
    expect(await facets('?q=nothing')).toMatchObject({ total: 0, versions: {}, labels: {} });
    expect((await kit.api.call('GET', '/api/host-facets?status=asleep')).statusCode).toBe(400);
    expect((await kit.api.call('GET', '/api/host-facets?selector=%3D')).statusCode).toBe(400);
  });

  it.each([
    ['?status=offline', many(2, 'us-')],
    ['?status=draining', ['us-000']],
    ['?q=S-00&limit=1', ['us-000']],
    ['?disk=low', ['eu-003']],
    ['?version=0.9,0.8', ['eu-003']],
    ['?version=1&status=online&selector=site%3Deu-1', many(3, 'eu-')],
  ])('list the same hosts page by page: %s', async (query, wanted) => {
    expect(await names(query)).toEqual(wanted);
  });

  it('tell which models are wanted on a host, and how many of their files are there', async () => {
    const modelsOf = async (host: string) =>
      (await kit.api.call('GET', `/api/hosts/${host}/models`)).json<HostModels>().models;
    expect(await modelsOf('EU-000')).toEqual([
      { model: 'whisper', version: '1', wanted: 2, ready: 2, failed: 0, sizeBytes: 2000, readyAt: expect.any(String) },
    ]);
    expect(await modelsOf('eu-003')).toMatchObject([{ wanted: 2, ready: 0, failed: 2, readyAt: null }]);
    expect(await modelsOf('us-000')).toEqual([]);
    expect((await kit.api.call('GET', '/api/hosts/nobody/models')).statusCode).toBe(404);
  });

  it('tell where a model is: hosts by version, and by label for the version that is current or pinned', async () => {
    const coverage = async () => (await kit.api.call('GET', '/api/models/whisper/coverage')).json<ModelCoverage>();
    expect(await coverage()).toEqual({
      versions: [{ version: '1', wanted: 4, ready: 3, failed: 1 }],
      labels: [
        { label: 'gpu=true', hosts: 6, ready: 3 },
        { label: 'site=eu-1', hosts: 4, ready: 3 },
        { label: 'site=us-1', hosts: 2, ready: 0 },
      ],
    });
    expect((await kit.api.call('GET', '/api/models/none/coverage')).statusCode).toBe(404);
  });

  it('have the state of every host of a rollout, and where its bytes came from since it was created', async () => {
    const { hosts } = (await kit.api.call('GET', `/api/rollouts/${id}/host-states`)).json<RolloutHostStates>();
    expect(hosts).toEqual([
      ...many(3, 'eu-').map((host) => ({ host, state: 'done' })),
      { host: 'eu-003', state: 'failed' },
    ]);
    const { pool } = kit.api.deps.database;
    const { rows } = await pool.query<{ id: string }>("SELECT id FROM downloads WHERE host = 'eu-000' ORDER BY path");
    const made = async (
      download: string,
      sequence: number,
      status: string,
      bytes: number,
      agoMs = 0,
    ): Promise<void> => {
      const at = new Date(kit.api.deps.now().getTime() - agoMs);
      await pool.query(
        `INSERT INTO tries (at, day, download_id, generation, attempt, sequence, layer, kind, source, origin, status, latency_ms, bytes, error_kind, error_message)
         VALUES ($1, ($1::timestamptz AT TIME ZONE 'UTC')::date, $2, 1, 1, $3, 'ipfs', 'ipfs-gateway', 'http://gw.example/ipfs/x', 'http://gw.example', $4, 10, $5, $6, $7)`,
        [at, download, sequence, status, bytes, ...(status === 'success' ? [null, null] : ['unreachable', 'refused'])],
      );
    };
    await made(rows[0]!.id, 0, 'failure', 0);
    await made(rows[0]!.id, 1, 'success', 700);
    await made(rows[1]!.id, 0, 'success', 300);
    const { sources } = (await kit.api.call('GET', `/api/rollouts/${id}/sources`)).json<RolloutSources>();
    expect(sources).toEqual([
      {
        layer: 'ipfs',
        source: 'http://gw.example',
        tries: 3,
        successes: 2,
        bytes: 1000,
        p95Ms: 10,
        lastError: 'refused',
      },
    ]);
    const nothing = '00000000-0000-4000-8000-000000000000';
    for (const path of ['host-states', 'sources'])
      expect((await kit.api.call('GET', `/api/rollouts/${nothing}/${path}`)).statusCode).toBe(404);
  });
});
