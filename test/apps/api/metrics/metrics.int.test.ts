import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Chart, MetricsHealth, MetricsList, MetricsSummary } from '#contracts/http/metrics';
import type { Problem } from '#contracts/http/problem';
import { EventBatch, type WorkerEvent } from '#contracts/worker/worker-events';
import { LAYER_NAMES } from '#core/layer';
import { MINUTE_MS } from '#core/units';
import { sampleQueue } from '#database/history/chart-queries';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { startApp, type TestApp } from '../start-app.ts';

const GATEWAY = 'gateway.example';
const HOSTILE = 'evil"}\u0000\n# HELP x';
/** What the contract of events leaves of it. */
const CLEANED = 'evil"}  # HELP x';

describe('the metrics of the API', () => {
  let api: TestApp;
  let said: EventBatch;

  beforeAll(async () => {
    api = await startApp();
    const manifest = { name: 'whisper', type: 'stt', version: '1', files: ['a', 'b'].map(wanted) };
    await api.call('POST', '/api/models', manifest);
    const made = await api.call('POST', '/api/downloads', { model: 'whisper', host: 'gpu-1' });
    const [a, b] = made.json<DownloadRequest>().downloads;
    said = EventBatch.parse(told(a!.id, b!.id));
    await recordBatches(api.deps, [said]);
  });
  afterAll(() => api.stop());

  const get = async <Body>(path: string): Promise<Body> => {
    const response = await api.call('GET', path);
    expect([path, response.statusCode]).toEqual([path, 200]);
    return response.json<Body>();
  };

  it('ME1 ME3 lists single tries, newest first, page by page, with every fact', async () => {
    const all = await get<MetricsList>('/api/metrics/downloads?window=1h');
    expect(all.records.map(({ gateway, status }) => [gateway, status])).toEqual([
      [CLEANED, 'failure'],
      [GATEWAY, 'success'],
      [GATEWAY, 'failure'],
    ]);
    expect(all.records[2]).toEqual({
      ...{ at: expect.any(String), downloadId: expect.any(String), host: 'gpu-1', model: 'whisper', modelType: 'stt' },
      ...{ layer: 'ipfs', kind: 'ipfs-gateway', gateway: GATEWAY, source: GATEWAY, status: 'failure' },
      ...{ latencyMs: 100, bytes: 0 },
      ...{ totalBytes: 10, errorType: 'timed-out', errorMessage: 'no byte for 30 s' },
    });
    const first = await get<MetricsList>('/api/metrics/downloads?limit=2');
    const second = await get<MetricsList>(`/api/metrics/downloads?limit=2&cursor=${first.nextCursor}`);
    expect([...first.records, ...second.records]).toEqual(all.records);
    expect(second.nextCursor).toBeNull();
    const failures = await get<MetricsList>('/api/metrics/downloads?layer=ipfs&status=failure');
    expect(failures.records).toEqual([all.records[2]]);
  });

  it('ME2 ME3 sums up by layer and gateway, and tells what the cache saved', async () => {
    const summary = await get<MetricsSummary>('/api/metrics/summary?window=1h');
    expect(summary.total).toEqual({ tries: 3, successes: 1, successRate: 1 / 3, bytes: 10 });
    const ipfs = { tries: 2, successes: 1, successRate: 0.5, averageMs: 150, p50Ms: 100, p95Ms: 200, bytes: 10 };
    expect(summary.layers.find(({ layer }) => layer === 'ipfs')).toEqual({ layer: 'ipfs', ...ipfs });
    expect(summary.gateways).toContainEqual({ layer: 'ipfs', gateway: GATEWAY, ...ipfs });
    expect(summary.outcomes).toEqual({ primary_success: 1, cache_hit: 1 });
    expect(summary.cacheEffectiveness).toBe(0.5);
  });

  it('ME3 shows the health of each layer, also of layers without a try', async () => {
    const { layers, status, reason } = await get<MetricsHealth>('/api/metrics/health');
    expect(status).toBe('degraded');
    expect(reason).toBe('ipfs is degraded: 50 % of 2 tries succeeded; huggingface is down: 0 % of 1 try succeeded');
    const of = (name: string) => layers.find(({ layer }) => layer === name);
    expect(layers).toHaveLength(5);
    expect(of('ipfs')).toMatchObject({ status: 'degraded', tries: 2, lastError: `${GATEWAY}: no byte for 30 s` });
    expect(of('huggingface')).toMatchObject({ status: 'down', successRate: 0, lastSuccessAt: null });
    expect(of('peer')).toEqual({
      ...{ layer: 'peer', status: 'unknown', since: null, reason: 'no try in the window', tries: 0, successRate: null },
      ...{ lastSuccessAt: null, lastFailureAt: null, lastError: null },
    });
  });

  it('M01 M07 ME4 shows Prometheus bounded labels only: no name of a source, host or file', async () => {
    const response = await api.call('GET', '/metrics');
    expect(response.headers.get('content-type')).toContain('text/plain');
    expect(response.body).toContain(
      'haulier_download_attempts_total{source="ipfs",result="failure",reason="timed-out"} 1',
    );
    expect(response.body).toContain('haulier_source_up{source="ipfs"} 1');
    expect(response.body).toContain('haulier_queue_jobs{queue="hosts",state="waiting"} 0');
    expect(response.body).toContain('haulier_downloads{status="success"} 2');
    expect(response.body).toContain('haulier_hosts{state="online"} 1');
    // Known series begin at 0.
    for (const layer of LAYER_NAMES)
      expect(response.body).toContain(`haulier_download_attempts_total{source="${layer}",result="success",reason=""}`);
    expect(response.body).toContain('haulier_downloads{status="failed"} 0');
    expect(response.body).toContain('haulier_download_bytes_total{source="peer"} 0');
    for (const word of ['evil', GATEWAY, 'gpu-1', 'whisper']) expect(response.body).not.toContain(word);
  });

  it('ME4 gives the series of each chart, slot by slot', async () => {
    const chart = (name: string, window = '24h') => get<Chart>(`/api/metrics/query?chart=${name}&window=${window}`);
    const sums = ({ series }: Chart) =>
      series.map(({ name, values }) => [name, values.reduce<number>((all, value) => all + (value ?? 0), 0)]);
    const failures = await chart('failures');
    expect(sums(failures)).toEqual([
      ['missing', 1],
      ['timed-out', 1],
    ]);
    expect([failures.times.length, failures.stepMs]).toEqual([25, 3_600_000]);
    for (const { values } of failures.series) expect(values).toHaveLength(failures.times.length);
    expect(sums(await chart('fallback_depth', '30d'))).toEqual([
      ['cache_hit', 1],
      ['primary_success', 1],
    ]);
    const rates = await chart('success_rate', '1h');
    expect(rates.stepMs).toBe(60_000);
    expect(sums(rates)).toEqual([
      [GATEWAY, 0.5],
      [CLEANED, 0],
    ]);
    const bytes = await chart('bytes_per_second', '1h');
    expect(bytes.series.map(({ name, unit }) => [name, unit])).toEqual([[GATEWAY, 'bytes_per_second']]);
    expect((await chart('time_to_ready')).series.map(({ name }) => name)).toEqual(['p50', 'p95', 'p99']);
    await sampleQueue(api.deps.database, api.deps.now());
    expect(sums(await chart('queue', '1h'))).toEqual([
      ['waiting', 0],
      ['running', 0],
      ['paused', 0],
      ['oldest_waiting', 0],
    ]);
  });

  it('ME4 gives the same chart of the window before, in as many whole slots, without what is newer', async () => {
    const now = api.deps.now();
    const sql = `INSERT INTO queue_samples (at, waiting, running, paused, oldest_waiting_ms)
      VALUES (date_trunc('minute', $1::timestamptz), 7, 0, 0, 0)`;
    await api.deps.database.pool.query(sql, [new Date(now.getTime() - 90 * MINUTE_MS)]);
    const { times, series, since, until } = await get<Chart>('/api/metrics/query?chart=queue&window=1h&before=true');
    expect(times).toHaveLength(61);
    expect(series[0]!.values.filter((value) => value !== null)).toEqual([7]);
    expect(Date.parse(until) - Date.parse(since)).toBe(61 * MINUTE_MS - 1);
    expect((await get<Chart>('/api/metrics/query?chart=failures&window=1h&before=true')).series).toEqual([]);
    expect((await get<Chart>('/api/metrics/query?chart=failures&window=30d&before=true')).series).toEqual([]);
  });

  it('M03 the same batch again changes nothing', async () => {
    const paths = ['/api/metrics/summary?window=1h', '/api/metrics/health', '/api/metrics/downloads'];
    const shown = async () => (await Promise.all(paths.map((path) => get<MetricsSummary>(path)))).map(timeless);
    const before = await shown();
    const { host, bootId, sequence, sentAt } = said;
    await recordBatches(api.deps, [said]);
    await recordBatches(api.deps, [{ ...said, host, bootId, sequence: sequence + 1, sentAt }]);
    expect(await shown()).toEqual(before);
  });

  it.each([
    ['/api/metrics/downloads?window=soon', '?window'],
    ['/api/metrics/downloads?window=401d', '?window'],
    ['/api/metrics/downloads?limit=1001', '?limit'],
    ['/api/metrics/downloads?layer=pigeon', '?layer'],
    ['/api/metrics/downloads?status=perhaps', '?status'],
    ['/api/metrics/downloads?cursor=AAAA', '?cursor'],
    [`/api/metrics/downloads?cursor=${cursorOf([1e16, randomUUID(), 1, 1, 1])}`, '?cursor'],
    [`/api/metrics/downloads?cursor=${cursorOf([1, randomUUID(), 2 ** 40, 1, 1])}`, '?cursor'],
    [`/api/downloads?cursor=${Buffer.from(`1.${'-'.repeat(36)}`).toString('base64url')}`, '?cursor'],
    ['/api/metrics/summary?window=-1h', '?window'],
    ['/api/metrics/summary?since=yesterday', '?since'],
    ['/api/metrics/health?window=', '?window'],
    ['/api/metrics/query?chart=pie', '?chart'],
  ])('ME3 K21 refuses %s and says where', async (path, pointer) => {
    const response = await api.call('GET', path);
    expect([response.statusCode, response.body]).toEqual([400, expect.stringContaining(pointer)]);
    expect(response.json<Problem>().errors![0]!.pointer).toBe(pointer);
  });

  it('ME3 counts from a reset on, which only an administrator may order', async () => {
    const reset = (token: string) =>
      api.call('POST', '/api/metrics/downloads/reset', undefined, { authorization: `Bearer ${token}` });
    expect((await reset(api.tokens.write)).statusCode).toBe(403);
    expect((await get<MetricsSummary>('/api/metrics/summary')).total.tries).toBe(3);
    expect((await reset(api.tokens.admin)).statusCode).toBe(200);
    const audit = await api.call('GET', '/api/audit?limit=1', undefined, {
      authorization: `Bearer ${api.tokens.admin}`,
    });
    expect(audit.json<AuditList>().entries[0]).toMatchObject({
      action: 'resetMetrics',
      actor: 'test admin',
      status: 200,
    });
    const summary = await get<MetricsSummary>('/api/metrics/summary');
    expect(summary).toMatchObject({ total: { tries: 0, successRate: null }, cacheEffectiveness: null });
    const none = { tries: 0, successes: 0, successRate: null, averageMs: null, p50Ms: null, p95Ms: null, bytes: 0 };
    expect(summary.layers).toEqual(LAYER_NAMES.map((layer) => ({ layer, ...none })));
    expect((await get<MetricsList>('/api/metrics/downloads')).records).toEqual([]);
  });
});

const wanted = (name: string) => ({ path: `${name}.onnx`, sizeBytes: 10, sha256: name.repeat(64) });

function cursorOf(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Without the moments of asking. */
const timeless = (shown: object): object => ({ ...shown, since: null, until: null });

/** One download that came from a gateway at the second try, and one that was there after a hub failed. */
function told(a: string, b: string): EventBatch {
  const now = Date.now();
  const of = (downloadId: string, ms: number) => ({ downloadId, generation: 1, at: now - 1000 + ms });
  const tried = (id: string, ms: number, sequence: number, more: object): WorkerEvent =>
    ({
      ...{ type: 'try.finished', ...of(id, ms), attempt: 1, sequence, layer: 'ipfs', kind: 'ipfs-gateway' },
      ...{ source: GATEWAY, status: 'success', latencyMs: 200, bytes: 10 },
      ...{ errorKind: null, errorMessage: null, reason: null, ...more },
    }) as WorkerEvent;
  const failure = { status: 'failure', bytes: 0, latencyMs: 100 };
  const finished = (id: string, ms: number, outcome: 'primary_success' | 'cache_hit'): WorkerEvent => ({
    ...{ type: 'download.finished', ...of(id, ms), outcome, sizeBytes: 10, sha256: 'a'.repeat(64), cid: null },
    ...{ verified: true, path: '/models/a', durationMs: 1, resumedBytes: 0, wastedBytes: 0, sources: [] },
  });
  return {
    ...{ version: 1, host: 'gpu-1', bootId: randomUUID(), sequence: 0, sentAt: now },
    events: [
      tried(a, 1, 0, { ...failure, errorKind: 'timed-out', errorMessage: 'no byte for 30 s' }),
      tried(a, 2, 1, {}),
      tried(b, 3, 0, {
        ...failure,
        ...{ layer: 'huggingface', kind: 'mirror', source: HOSTILE, errorKind: 'missing', errorMessage: '404' },
      }),
      finished(a, 4, 'primary_success'),
      finished(b, 5, 'cache_hit'),
    ],
  };
}
