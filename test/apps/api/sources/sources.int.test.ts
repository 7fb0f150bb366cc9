import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import type { ListedSource, SourceList, SourceTest } from '#contracts/http/sources';
import { EventBatch, type ReportedSource } from '#contracts/worker/worker-events';
import { MINUTE_MS } from '#core/units';
import { readDisabledSources } from '#queue/commands/source-rules';
import { disabledSourcesKey, originPausesKey } from '#queue/keys';
import { shareOriginPauses } from '#queue/swarm/origin-pauses';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { tellWorkers } from '../../../../apps/api/sources/tell-workers.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { startApp, type TestApp } from '../start-app.ts';

const SLOW = 'https://slow.example';
const FAST = 'https://fast.example';
const MIRROR = 'https://mirror.example:8443';

describe('the sources', () => {
  let api: TestApp;
  let origin: Origin;
  let now = new Date();
  const admin = () => ({ authorization: `Bearer ${api.tokens.admin}` });

  beforeAll(async () => {
    origin = await startOrigin({});
    api = await startApp({ now: () => now, allowAddresses: [`127.0.0.1:${origin.port}`] });
    const file = { path: 'a.bin', sizeBytes: 10, sha256: 'a'.repeat(64) };
    const made = await api.call('POST', '/api/downloads', { name: 'm', files: [file], host: 'gpu-1' });
    await tell(made.json<DownloadRequest>().downloads[0]!.id);
  });
  afterAll(async () => {
    await api.stop();
    await origin.close();
  });

  const report = (place: number, of: string, more: Partial<ReportedSource> = {}): ReportedSource => ({
    ...{ layer: 'ipfs', kind: 'ipfs-gateway', origin: of, place, breaker: 'closed', waitMs: 0, successRate: null },
    ...{ bytesPerSecond: null, requestsPerMinute: null, connections: null, ...more },
  });

  /** Two workers: the first gateway fails most of its tries and one worker does not ask it now; the second one works. */
  async function tell(downloadId: string): Promise<void> {
    const at = now.getTime();
    const tried = (sequence: number, of: string, isSuccess: boolean) => ({
      ...{ type: 'try.finished', downloadId, generation: 1, at: at - 1000, attempt: 1, sequence },
      ...{ layer: 'ipfs', kind: 'ipfs-gateway', source: of, origin: of, latencyMs: 100, reason: null },
      ...(isSuccess
        ? { status: 'success', bytes: 300, committedBytes: 300, errorKind: null, errorMessage: null }
        : { status: 'failure', bytes: 0, committedBytes: 0, errorKind: 'timed-out', errorMessage: 'no byte for 30 s' }),
    });
    const mirrored = {
      ...tried(5, MIRROR, true),
      layer: 'huggingface',
      kind: 'mirror',
      bytes: 100,
      committedBytes: 100,
    };
    const hostReport = (sources: ReportedSource[]) => ({
      ...{ type: 'host.report', at, inventoryDigest: 'd', storeBytes: 1, freeBytes: 1, fileCount: 1 },
      ...{ workerVersion: '1', sources },
    });
    const batch = (host: string, events: object[]) =>
      EventBatch.parse({ version: 1, host, bootId: randomUUID(), sequence: 0, sentAt: at, events });
    const slow = { successRate: 0.25, waitMs: 60_000, breaker: 'open' } as const;
    await recordBatches(api.deps, [
      batch('gpu-1', [
        ...[tried(0, SLOW, false), tried(1, SLOW, false), tried(2, SLOW, true), tried(3, FAST, true), mirrored],
        hostReport([report(1, SLOW, slow), report(2, FAST, { successRate: 1, bytesPerSecond: 1000, connections: 4 })]),
      ]),
      batch('gpu-2', [
        hostReport([
          report(1, SLOW, { successRate: 0.75 }),
          report(2, FAST, { bytesPerSecond: 3000, requestsPerMinute: 200, connections: 2 }),
          report(3, origin.url),
        ]),
      ]),
    ]);
  }

  const list = async (): Promise<ListedSource[]> => (await api.call('GET', '/api/sources')).json<SourceList>().sources;
  const of = async (name: string): Promise<ListedSource> => (await list()).find((source) => source.origin === name)!;

  it('ME5 are listed in the order in which the fleet would ask them, and say why', async () => {
    const sources = await list();
    expect(sources.map(({ layer, origin: name, place }) => [layer, place, name])).toEqual([
      ['huggingface', 1, MIRROR],
      ['ipfs', 1, FAST],
      ['ipfs', 2, origin.url],
      ['ipfs', 3, SLOW],
    ]);
    expect(sources[1]).toMatchObject({
      ...{ configuredPlace: 2, state: 'up', bytesPerSecond: 2000, shareOfBytes: 300 / 700 },
      why: expect.stringContaining('configured 2nd, 100 % of its tries succeed'),
      breakers: { closed: 2, open: 0, halfOpen: 0, openUntil: null },
      rateBudget: { requestsPerMinute: 200, connections: 2, waitMs: 0 },
      lastHour: { tries: 1, successRate: 1, p50Ms: 100, p95Ms: 100, bytes: 300 },
    });
    expect(sources[3]).toMatchObject({
      ...{ configuredPlace: 1, state: 'down', reason: '33 % of 3 tries in the last hour succeeded' },
      breakers: { closed: 1, open: 1, halfOpen: 0, openUntil: new Date(now.getTime() + MINUTE_MS).toISOString() },
      rateBudget: { waitMs: 60_000 },
      lastError: `${SLOW}: no byte for 30 s`,
    });
    expect(sources[2]).toMatchObject({ state: 'unknown', reason: 'it was not tried in the last day', lastError: null });
    expect(sources[0]).toMatchObject({ configuredPlace: null, kind: 'mirror', disabled: null });
  });

  it('L16 show how long no host of the fleet asks them, as soon as one was asked for a pause', async () => {
    const pauses = [
      { origin: FAST, bucket: 'api', ms: 2 * MINUTE_MS },
      { origin: FAST, ms: MINUTE_MS },
    ];
    await shareOriginPauses(api.deps.queues.redis, api.deps.prefix, pauses);
    const { waitMs } = (await of(FAST)).rateBudget;
    expect(waitMs).toBeGreaterThan(MINUTE_MS);
    expect(waitMs).toBeLessThanOrEqual(2 * MINUTE_MS);
    expect((await of(MIRROR)).rateBudget.waitMs).toBe(0);
    await api.deps.queues.redis.del(originPausesKey(api.deps.prefix));
  });

  it('ME5 M13 are disabled with a note for all workers, which is audited, and enabled again', async () => {
    const { links } = await of(SLOW);
    const disabled = await api.call('POST', links.disable, { note: 'it sends rubbish', expiresIn: '2h' });
    expect(disabled.json<ListedSource>()).toMatchObject({
      ...{ state: 'disabled', reason: 'disabled by test write: it sends rubbish' },
      disabled: {
        note: 'it sends rubbish',
        by: 'test write',
        until: new Date(now.getTime() + 120 * MINUTE_MS).toISOString(),
      },
    });
    const read = () => readDisabledSources(api.deps.queues.redis, api.deps.prefix);
    expect(await read()).toEqual([{ origin: SLOW, note: 'it sends rubbish', until: now.getTime() + 120 * MINUTE_MS }]);
    const { entries } = (await api.call('GET', '/api/audit?limit=1', undefined, admin())).json<AuditList>();
    expect(entries[0]).toMatchObject({
      ...{ action: 'disableSource', target: `sources/${SLOW}`, actor: 'test write', before: { state: 'down' } },
      after: { state: 'disabled' },
    });
    // A Redis that lost its data gets it again.
    await api.deps.queues.redis.del(disabledSourcesKey(api.deps.prefix));
    await tellWorkers(api.deps);
    expect(await read()).toHaveLength(1);
    expect((await api.call('POST', links.enable)).json<ListedSource>()).toMatchObject({
      state: 'down',
      disabled: null,
    });
    expect(await read()).toEqual([]);
  });

  it('ME5 that are disabled for some time are used again afterwards', async () => {
    const { links } = await of(FAST);
    await api.call('POST', links.disable, { note: 'maintenance', expiresIn: '60s' });
    const before = now;
    now = new Date(now.getTime() + MINUTE_MS + 1);
    try {
      expect((await of(FAST)).disabled).toBeNull();
      await tellWorkers(api.deps);
      expect(await readDisabledSources(api.deps.queues.redis, api.deps.prefix)).toEqual([]);
    } finally {
      now = before;
    }
  });

  it('ME5 are tested by a request of the API, which says what it saw', async () => {
    const test = async (name: string) => (await api.call('POST', (await of(name)).links.test)).json<SourceTest>();
    const found = await test(origin.url);
    expect(found).toMatchObject({
      reachable: true,
      message: `${origin.url}/ipfs/bafkqaaa?format=raw answered ${found.status}`,
    });
    expect(origin.requests.map(({ path }) => path)).toEqual(['/ipfs/bafkqaaa?format=raw']);
    expect(await test(FAST)).toMatchObject({
      reachable: false,
      status: null,
      message: expect.stringContaining('fast.example'),
    });
  });

  it.each([
    [{}, '/note'],
    [{ note: ' ' }, '/note'],
    [{ note: 'x', expiresIn: 'soon' }, '/expiresIn'],
    [{ note: 'x', expiresIn: '400d' }, '/expiresIn'],
  ])('K21 refuse to be disabled with %j and say which field is wrong', async (body, pointer) => {
    const answer = await api.call('POST', (await of(FAST)).links.disable, body);
    expect([answer.statusCode, answer.json<Problem>().errors?.[0]?.pointer]).toEqual([400, pointer]);
  });

  it('are not switched by a token that only reads, and unknown ones are none', async () => {
    const { links } = await of(FAST);
    const headers = { authorization: `Bearer ${api.tokens.read}` };
    expect((await api.call('POST', links.disable, { note: 'x' }, headers)).statusCode).toBe(403);
    const answer = await api.call('GET', `/api/sources/${Buffer.from('https://none.example').toString('base64url')}`);
    expect([answer.statusCode, answer.json<Problem>().detail]).toEqual([
      404,
      expect.stringContaining('https://none.example'),
    ]);
  });
});
