import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DAY_MS } from '#core/units';
import { dropRollUps, dropTryPartitions, ensureTryPartitions } from '#database/history/try-partitions';
import type { Database } from '#database/sql/connect';
import { applyEvents } from '#database/history/event-queries';
import { layerHealth, listTries, metricsSummary, resetMetrics, triesOf } from '#database/history/metrics-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, failed, finished, interrupted, oneDownload, progress, START, started, tried } from '../fixtures.ts';

describe('metrics', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  const rowsIn = async (table: string): Promise<number> =>
    (await database.pool.query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]!.n;

  const LATENCIES = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000];

  async function someTries(): Promise<void> {
    const model = { name: 'whisper-base', type: 'stt', version: '1' };
    const one = await oneDownload(database, { model });
    const two = await oneDownload(database, { model });
    const tries = LATENCIES.map((latencyMs, n) =>
      tried(one, n, n, n < 8 ? { latencyMs } : { latencyMs, status: 'failure', bytes: 0, errorKind: 'missing' }),
    );
    const hub = { layer: 'huggingface', kind: 'huggingface', source: 'https://hub.example' } as const;
    const refused = { ...hub, status: 'failure', bytes: 0, errorKind: 'forbidden', errorMessage: 'gated' } as const;
    await applyEvents(database, [batch([...tries, tried(two, 20, 0, refused)])], at(30));
    await applyEvents(database, [batch([finished(one, 40), finished(two, 41, { outcome: 'cache_hit' })])], at(41));
  }

  it('ME1 keeps one record per try with all its facts, newest first', async () => {
    await someTries();
    const [newest, ...rest] = await listTries(database, { since: START, limit: 20 }, at(100));
    expect(rest).toHaveLength(10);
    expect(newest).toMatchObject({
      at: at(20),
      host: 'gpu-1',
      model: 'whisper-base',
      modelType: 'stt',
      layer: 'huggingface',
      source: 'https://hub.example',
      status: 'failure',
      latencyMs: 100,
      bytes: 0,
      totalBytes: 1000,
      errorKind: 'forbidden',
      errorMessage: 'gated',
    });
    expect(
      await listTries(database, { since: START, layer: 'ipfs', status: 'failure', limit: 20 }, at(100)),
    ).toHaveLength(2);
    const page = await listTries(database, { since: START, limit: 4 }, at(100));
    const next = await listTries(database, { since: START, limit: 20, after: page.at(-1) }, at(100));
    expect([...page, ...next]).toEqual([newest, ...rest]);
  });

  it('ME1 pages through weeks of tries without gap or repeat, also where a day has fewer than a page', async () => {
    const one = await oneDownload(database);
    const daysAgo = [0, 0, 0, 1, 5, 6, 12, 12, 25];
    const tries = daysAgo.map((days, n) => ({ ...tried(one, 1, n), at: START.getTime() - days * DAY_MS + n }));
    await applyEvents(database, [batch(tries)], at(9));
    const since = new Date(START.getTime() - 30 * DAY_MS);
    const newestFirst = tries.toSorted((a, b) => b.at - a.at).map(({ sequence }) => sequence);
    for (const limit of [1, 2, 3, 20]) {
      const seen: number[] = [];
      let page = await listTries(database, { since, limit }, at(100));
      while (page.length > 0) {
        seen.push(...page.map(({ sequence }) => sequence));
        page = await listTries(database, { since, limit, after: page.at(-1) }, at(100));
      }
      expect(seen).toEqual(newestFirst);
    }
  });

  it('M08 ME2 takes scheme, host and port for the gateway, whatever files came from there', async () => {
    const one = await oneDownload(database);
    const mirror = { layer: 'huggingface', kind: 'mirror' } as const;
    const of = (n: number, more: object) => tried(one, n, n, { ...mirror, bytes: 10, ...more });
    const tries = [
      of(1, { source: 'https://m.example:8443/a.bin', origin: 'https://m.example:8443' }),
      of(2, { source: 'https://m.example:8443/b.bin', origin: 'https://m.example:8443' }),
      of(3, { source: 'https://m.example:8443/of-an-earlier-release.bin?x=1' }),
      of(4, { source: 'https://m.example/c.bin', origin: 'https://m.example' }),
      of(5, { source: 'models.tar', origin: '/bundles/models.tar' }),
    ];
    await applyEvents(database, [batch(tries)], at(9));
    const { gateways } = await metricsSummary(database, START);
    expect(gateways.map(({ gateway, attempts }) => [gateway, attempts])).toEqual([
      ['/bundles/models.tar', 1],
      ['https://m.example', 1],
      ['https://m.example:8443', 3],
    ]);
  });

  it('M09 counts the bytes that were kept, also those of an attempt whose worker was killed, once', async () => {
    const one = await oneDownload(database);
    const from = { layer: 'ipfs', kind: 'ipfs-gateway', origin: 'https://gateway.example' } as const;
    const restart = started(one, 9, { resumedBytes: 700 });
    const events = [
      started(one, 1, { resumedBytes: 100 }),
      tried(one, 2, 0, { bytes: 500, committedBytes: 300 }),
      { ...progress(one, 5, 800), from },
      restart, // the worker was killed after a checkpoint at 700 bytes
      tried(one, 12, 0, { bytes: 300, committedBytes: 300 }),
    ];
    await applyEvents(database, [batch(events.slice(0, 3))], at(5));
    await applyEvents(database, [batch(events.slice(3))], at(12));
    await applyEvents(database, [batch([restart])], at(13));
    const { gateways, layers } = await metricsSummary(database, START);
    expect(gateways).toMatchObject([{ gateway: 'https://gateway.example', bytes: 900, attempts: 3 }]);
    expect(layers).toMatchObject([{ layer: 'ipfs', bytes: 900 }]);
    const told = (await triesOf(database, one, 9)).find(({ reason }) => reason?.includes('without a report'));
    expect(told).toMatchObject({ bytes: 300, committedBytes: 300, at: at(5), source: 'https://gateway.example' });
  });

  it('M09 counts an attempt that its worker put back by its tries alone', async () => {
    const one = await oneDownload(database);
    const from = { layer: 'ipfs', kind: 'ipfs-gateway', origin: 'https://gateway.example' } as const;
    const events = [
      started(one, 1),
      { ...progress(one, 2, 400), from },
      tried(one, 3, 0, { bytes: 400, committedBytes: 400 }),
      interrupted(one, 4, { reason: 'worker_shutdown', committedBytes: 400 }),
      started(one, 9, { resumedBytes: 400 }),
    ];
    await applyEvents(database, [batch(events)], at(9));
    expect((await metricsSummary(database, START)).layers).toMatchObject([{ bytes: 400, attempts: 1 }]);
  });

  it('ME2 sums up success, latency and cache effectiveness per layer and gateway', async () => {
    await someTries();
    const summary = await metricsSummary(database, START);
    expect(summary.layers).toEqual([
      expect.objectContaining({ layer: 'huggingface', attempts: 1, successes: 0, successRate: 0 }),
      {
        layer: 'ipfs',
        attempts: 10,
        successes: 8,
        successRate: 0.8,
        averageMs: 550,
        p50Ms: 500,
        // 900 and 1000 count as their mean.
        p95Ms: 950,
        bytes: 8000,
      },
    ]);
    expect(summary.gateways.map(({ gateway, attempts }) => [gateway, attempts])).toEqual([
      ['https://hub.example', 1],
      ['https://gateway.example', 10],
    ]);
    expect(summary.outcomes).toEqual({ primary_success: 1, cache_hit: 1 });
    expect(summary.cacheEffectiveness).toBe(0.5);
  });

  it('ME2 sums up from any moment on: exactly in its first hour, then from whole hours, and from whole days as soon as one begins', async () => {
    await someTries();
    const attemptsSince = async (since: Date): Promise<number[]> =>
      (await metricsSummary(database, since)).layers.map(({ attempts }) => attempts);
    expect(await attemptsSince(at(5))).toEqual([1, 5]);
    expect(await attemptsSince(new Date(START.getTime() - 40 * DAY_MS))).toEqual([1, 10]);
    await database.pool.query('DELETE FROM try_hours');
    const dayOfStart = Math.floor(START.getTime() / DAY_MS) * DAY_MS;
    expect(await attemptsSince(new Date(dayOfStart))).toEqual([1, 10]);
    expect(await attemptsSince(new Date(dayOfStart + 1))).toEqual([]);
  });

  it('ME1 forgets roll-ups and sources before a moment, and nothing after it', async () => {
    await someTries();
    const tables = ['try_hours', 'try_days', 'download_hours', 'sources_tried'];
    const counts = (): Promise<number[]> => Promise.all(tables.map(rowsIn));
    const before = await counts();
    await dropRollUps(database, new Date(START.getTime() - DAY_MS));
    expect(await counts()).toEqual(before);
    await dropRollUps(database, new Date(START.getTime() + DAY_MS));
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });

  it('ME2 M03 counts every try once in both roll-ups, also from recorders that store at the same time', async () => {
    const downloads = await Promise.all(Array.from({ length: 6 }, () => oneDownload(database)));
    const batches = downloads.map((download) =>
      batch([
        started(download, 1),
        { ...progress(download, 2, 500), from: { layer: 'ipfs', kind: 'ipfs-gateway', origin: 'https://g.example' } },
        started(download, 9, { resumedBytes: 400 }), // the worker was killed
        ...Array.from({ length: 20 }, (_, n) => tried(download, 10 + n, n, { origin: `https://g${n % 3}.example` })),
      ]),
    );
    await Promise.all([...batches, ...batches].map((one) => applyEvents(database, [one], at(60))));
    const sum = async (table: string): Promise<number> =>
      (await database.pool.query<{ n: number }>(`SELECT sum(tries)::bigint AS n FROM ${table}`)).rows[0]!.n;
    expect([await rowsIn('tries'), await sum('try_hours'), await sum('try_days')]).toEqual([126, 126, 126]);
  });

  it('ME2 counts no failed download into cache effectiveness, and knows none without downloads', async () => {
    expect(await metricsSummary(database, START)).toMatchObject({ layers: [], cacheEffectiveness: null });
    const download = await oneDownload(database);
    await applyEvents(database, [batch([failed(download, 1)])], at(1));
    expect(await metricsSummary(database, START)).toMatchObject({ cacheEffectiveness: null });
  });

  it('ME3 judges each layer by its tries and shows its last error', async () => {
    await someTries();
    expect(await layerHealth(database, START)).toMatchObject([
      { layer: 'huggingface', state: 'down', lastError: 'https://hub.example: gated', lastSuccessAt: null },
      { layer: 'ipfs', state: 'degraded', successRate: 0.8, lastSuccessAt: at(7), lastFailureAt: at(9) },
    ]);
  });

  it('ME3 counts from the reset point on and forgets nothing before its time', async () => {
    await someTries();
    await resetMetrics(database, at(50));
    expect(await listTries(database, { since: START, limit: 20 }, at(100))).toEqual([]);
    expect(await metricsSummary(database, START)).toMatchObject({ since: at(50), layers: [], outcomes: {} });
    expect(await layerHealth(database, START)).toEqual([]);
    expect(await rowsIn('tries')).toBe(11);
  });

  it('ME3 a download keeps its history after a reset of the metrics', async () => {
    const download = await oneDownload(database);
    await applyEvents(database, [batch([tried(download, 1, 0), tried(download, 2, 1)])], at(2));
    await resetMetrics(database, at(50));
    expect((await triesOf(database, download, 10)).map(({ sequence }) => sequence)).toEqual([1, 0]);
    expect(await triesOf(database, download, 1)).toHaveLength(1);
  });

  it('J07 keeps tries whose day has no partition, and moves them when it is made', async () => {
    await someTries();
    expect(await rowsIn('attempts_default')).toBe(11);
    await ensureTryPartitions(database, START);
    expect(await rowsIn('attempts_default')).toBe(0);
    expect(await rowsIn('attempts_20261121')).toBe(11);
    const download = await oneDownload(database);
    await applyEvents(database, [batch([tried(download, 60, 0)])], at(60));
    expect(await rowsIn('attempts_20261121')).toBe(12);
  });

  it('J07 makes the partitions once when several processes ask at the same time, while tries arrive', async () => {
    const download = await oneDownload(database);
    const arrivals = Array.from({ length: 20 }, (_, n) =>
      applyEvents(database, [batch([tried(download, n, n)])], at(n)),
    );
    const made = await Promise.all([1, 2, 3].map(() => ensureTryPartitions(database, START)));
    await Promise.all(arrivals);
    expect(made.flat().sort()).toEqual(['2026-11-21', '2026-11-22', '2026-11-23', '2026-11-24', '2026-11-25']);
    expect(await listTries(database, { since: START, limit: 100 }, at(100))).toHaveLength(20);
    expect(await ensureTryPartitions(database, START)).toEqual([]);
    expect(await ensureTryPartitions(database, new Date(START.getTime() + DAY_MS))).toEqual(['2026-11-26']);
  });

  it('ME1 forgets by the day', async () => {
    await someTries();
    await ensureTryPartitions(database, START);
    const stray = await oneDownload(database);
    await applyEvents(database, [batch([tried(stray, -40 * 86_400, 0)])], at(60));
    expect(await dropTryPartitions(database, START)).toEqual([]);
    expect(await rowsIn('attempts_default')).toBe(0);
    expect(await dropTryPartitions(database, new Date(START.getTime() + DAY_MS))).toEqual(['2026-11-21']);
    const left = ['attempts_20261121', 'attempts_20261122'].map(async (table) => [
      ...(await database.pool.query(`SELECT 1 WHERE to_regclass('${table}') IS NOT NULL`)).rows,
    ]);
    expect((await Promise.all(left)).map(({ length }) => length)).toEqual([0, 1]);
    expect(await rowsIn('tries')).toBe(0);
  });
});
