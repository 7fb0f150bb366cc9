import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Site, SiteList } from '#contracts/http/sites';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { HOUR_MS, MINUTE_MS } from '#core/units';
import { releaseRepairs } from '#database/hosts/repairs';
import { LAST_TRIES_MS, settleCharges } from '#database/sites/settle-charges';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { many, startRollouts, type RolloutKit } from './rollout-kit.ts';

/** Of a model of the kit: two files of 1000 bytes. */
const MODEL_BYTES = 2000;

type Try = Partial<Extract<WorkerEvent, { type: 'try.finished' }>>;

describe('what a site is charged with once its hosts have ended', () => {
  let kit: RolloutKit;
  beforeEach(async () => {
    kit = await startRollouts();
    await kit.report(many(2, 'eu-'), { gpu: 'true', site: 'eu' });
    await kit.api.call('PUT', '/api/sites/eu/budget', { bytes: 10 * MODEL_BYTES, per: '1h' });
  });
  afterEach(() => kit.stop());

  const site = async (): Promise<Site> =>
    (await kit.api.call('GET', '/api/sites')).json<SiteList>().sites.find((one) => one.site === 'eu')!;
  const used = async (): Promise<number> => (await site()).budget!.usedBytes;
  const movedBytes = async (): Promise<number[]> => (await site()).days.map(({ bytes }) => bytes);
  const settle = (): Promise<boolean> => settleCharges(kit.api.deps.database, kit.api.deps.now());

  interface Open {
    readonly id: string;
    readonly generation: number;
  }

  /** Its downloads, by path. */
  async function downloadsOf(host: string): Promise<Open[]> {
    const sql = 'SELECT id, generation FROM downloads WHERE host = $1 ORDER BY created_at DESC, path LIMIT 2';
    return (await kit.api.deps.database.pool.query<Open>(sql, [host])).rows;
  }

  async function say(host: string, events: readonly WorkerEvent[]): Promise<void> {
    const sentAt = kit.api.deps.now().getTime();
    const batch: EventBatch = { version: 1, host, bootId: randomUUID(), sequence: 0, sentAt, events: [...events] };
    await recordBatches(kit.api.deps, [batch]);
  }

  const tryOf = ({ id, generation }: Open, more: Try): WorkerEvent => ({
    ...{ type: 'try.finished', downloadId: id, generation, at: kit.api.deps.now().getTime(), attempt: 1, sequence: 0 },
    ...{ layer: 'ipfs', kind: 'ipfs-gateway', source: 'gateway', status: 'success', latencyMs: 5, bytes: 1000 },
    ...{ committedBytes: 1000, errorKind: null, errorMessage: null, reason: null },
    ...more,
  });

  it('N62 is charged with nothing for a host that had the files', async () => {
    await kit.create({});
    expect(await used()).toBe(2 * MODEL_BYTES);
    await kit.end(['eu-000'], 'cache_hit');
    await settle();
    expect([await used(), await movedBytes()]).toEqual([MODEL_BYTES, []]);
  });

  it('N62 is charged with the bytes that tries brought from outside, also those that were thrown away', async () => {
    await kit.create({});
    const [a, b] = await downloadsOf('eu-000');
    await say('eu-000', [
      tryOf(a!, { status: 'failure', bytes: 700, committedBytes: 0 }),
      tryOf(a!, { sequence: 1 }),
      tryOf(b!, { layer: 'peer', kind: 'peer', bytes: 400, committedBytes: 400 }),
      tryOf(b!, { sequence: 1, layer: 'huggingface', kind: 'local', origin: '/srv/models', bytes: 300 }),
      tryOf(b!, { sequence: 2, layer: 'bundled', kind: 'bundle', origin: '/srv/a.tar', bytes: 200 }),
      tryOf(b!, { sequence: 3, layer: 'bundled', kind: 'bundle', origin: 'https://b.example', bytes: 100 }),
    ]);
    await kit.end(['eu-000'], 'success');
    await settle();
    expect([await used(), await movedBytes()]).toEqual([MODEL_BYTES + 700 + 1000 + 100, [1800]]);
  });

  it('N62 is charged with a file of one block, which has no try', async () => {
    await kit.create({});
    await kit.end(['eu-000'], 'success');
    const sources = JSON.stringify([
      { source: 'g', layer: 'ipfs', bytes: 1000, wastedBytes: 0, badLeaves: 0, errors: 0 },
    ]);
    await kit.api.deps.database.pool.query('UPDATE downloads SET sources = $2 WHERE host = $1', ['eu-000', sources]);
    await settle();
    expect(await movedBytes()).toEqual([2000]);
  });

  it('N62 is settled once, by one of several processes, and not before its host has ended', async () => {
    const { id } = await kit.create({});
    await settle();
    expect(await used()).toBe(2 * MODEL_BYTES);
    const [a] = await downloadsOf('eu-000');
    await say('eu-000', [tryOf(a!, { bytes: 500 })]);
    await kit.end(['eu-000'], 'success');
    expect((await kit.hosts(id)).find(({ host }) => host === 'eu-000')!.state).toBe('done');
    await Promise.all([settle(), settle(), settle()]);
    await say('eu-000', [tryOf(a!, { sequence: 1, bytes: 50 })]);
    await settle();
    expect([await used(), await movedBytes()]).toEqual([MODEL_BYTES + 500, [500]]);
  });

  it('N62 waits for the last tries of a download that was cancelled, to the millisecond', async () => {
    const { id } = await kit.create({});
    const [a] = await downloadsOf('eu-000');
    await kit.act(id, 'cancel');
    const { rows } = await kit.api.deps.database.pool.query<{ at: Date }>(
      'SELECT max(completed_at) AS at FROM downloads',
    );
    const endedAt = rows[0]!.at.getTime();
    await settleCharges(kit.api.deps.database, new Date(endedAt + LAST_TRIES_MS - 1));
    expect(await used()).toBe(2 * MODEL_BYTES);
    await say('eu-000', [tryOf(a!, { bytes: 300, committedBytes: 300 })]);
    await settleCharges(kit.api.deps.database, new Date(endedAt + LAST_TRIES_MS));
    expect([await used(), await movedBytes()]).toEqual([300, [300]]);
  });

  it('N62 is charged with what a worker kept that was killed, and whose download was cancelled then', async () => {
    const { id } = await kit.create({});
    const [a] = await downloadsOf('eu-000');
    const at = kit.api.deps.now().getTime();
    const of = { downloadId: a!.id, generation: a!.generation };
    const from = { layer: 'ipfs', kind: 'ipfs-gateway', origin: 'https://g.example' } as const;
    const position = { committedBytes: 700, totalBytes: 1000, bytesPerSecond: 1, source: 'g', from, retries: 0 };
    await say('eu-000', [
      { ...of, type: 'download.started', at, attempt: 1, resumedBytes: 100 },
      tryOf(a!, { at: at + 1, bytes: 250, committedBytes: 200 }),
      { ...of, type: 'download.progress', at: at + 2, ...position },
    ]);
    await kit.act(id, 'cancel');
    kit.pass(LAST_TRIES_MS + MINUTE_MS);
    await settle();
    expect(await movedBytes()).toEqual([250 + (700 - 100 - 200)]);
  });

  it('N62 counts for the day of the tries, at its boundary, and lets go what was given back at once', async () => {
    await kit.api.call('PUT', '/api/sites/eu/budget', { bytes: MODEL_BYTES, per: '1h' });
    const { id } = await kit.create({});
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-000']);
    const [a, b] = await downloadsOf('eu-000');
    const today = kit.api.deps.now().toISOString().slice(0, 10);
    const midnight = Date.parse(`${today}T00:00:00.000Z`);
    await say('eu-000', [
      tryOf(a!, { at: midnight - 1, bytes: 400 }),
      tryOf(a!, { at: midnight, sequence: 1, bytes: 300 }),
      tryOf(b!, { at: midnight + 1, bytes: 100 }),
    ]);
    await kit.end(['eu-000'], 'success');
    expect(await kit.get(id)).toMatchObject({ state: 'paused', reason: 'budget' });
    await settle();
    await kit.conduct();
    expect(await kit.get(id)).toMatchObject({ state: 'paused', reason: 'budget' });
    const yesterday = new Date(midnight - 1).toISOString().slice(0, 10);
    expect((await site()).days).toEqual([
      { day: today, bytes: 400 },
      { day: yesterday, bytes: 400 },
    ]);
    await kit.api.call('PUT', '/api/sites/eu/budget', { bytes: MODEL_BYTES + 800, per: '1h' });
    await kit.conduct();
    expect(await kit.namesIn(id, 'queued')).toEqual(['eu-001']);
    await kit.end(['eu-001'], 'cache_hit');
    await settle();
    expect((await site()).budget).toMatchObject({ usedBytes: 800, freeBytes: MODEL_BYTES });
  });

  it('N62 leaves a download that another request made to that request', async () => {
    await kit.api.call('POST', '/api/downloads', { model: 'whisper', version: '1', host: 'eu-000' });
    await kit.create({});
    const [a] = await downloadsOf('eu-000');
    await say('eu-000', [tryOf(a!, {})]);
    await settle();
    expect(await used()).toBe(MODEL_BYTES);
  });

  it('N62 is charged with what a repair moved, and not with what the download moved before', async () => {
    await kit.create({});
    const [a, b] = await downloadsOf('eu-000');
    await say('eu-000', [tryOf(a!, {}), tryOf(b!, {})]);
    await kit.end(many(2, 'eu-'), 'success');
    await settle();
    const { database, now } = kit.api.deps;
    const lose = `UPDATE downloads SET status = 'pending', lost_at = $2, repair_waits = true, generation = 2 WHERE id = $1`;
    await database.pool.query(lose, [a!.id, now()]);
    const limits = { hostsPerSite: 10, shareOfSite: 1, aliveSince: new Date(now().getTime() - HOUR_MS) };
    expect(await releaseRepairs(database, limits, now())).toEqual([a!.id]);
    expect(await used()).toBe(2000 + 1000);
    await say('eu-000', [tryOf({ id: a!.id, generation: 2 }, { bytes: 150 })]);
    await kit.end(['eu-000'], 'success');
    await settle();
    expect([await used(), await movedBytes()]).toEqual([2150, [2150]]);
  });
});
