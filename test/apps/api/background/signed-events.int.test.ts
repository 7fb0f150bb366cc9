import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CreatedEnrolmentToken, RefusedEventsList } from '#contracts/http/access/enrolment';
import type { Download, DownloadRequest } from '#contracts/http/downloads';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { makeHostKeys, signerOf, type HostKeyPair } from '#queue/events/batch-signature';
import type { ReceivedBatch } from '#queue/events/event-stream';
import { writePositions } from '#database/history/position-queries';
import { believeBatches, keysOfBatches } from '../../../../apps/api/background/believe-batches.ts';
import { recordReceived } from '../../../../apps/api/background/recorder.ts';
import { startApp, type TestApp } from '../start-app.ts';

const BOOT = 1_000;

describe('events of enrolled hosts', () => {
  let api: TestApp;
  const keys = new Map<string, HostKeyPair>();
  beforeAll(async () => {
    api = await startApp();
    for (const host of ['gpu-1', 'gpu-2']) await enrol(host, false);
    await enrol('pool-1', true);
  });
  afterAll(() => api.stop());

  const asAdmin = () => ({ authorization: `Bearer ${api.tokens.admin}` });

  async function enrol(host: string, pool: boolean): Promise<void> {
    const made = await api.call('POST', '/api/enrolment-tokens', { host, pool }, asAdmin());
    const { token } = made.json<CreatedEnrolmentToken>();
    const pair = makeHostKeys();
    const headers = { authorization: `Bearer ${token}` };
    const answer = await api.call('POST', '/api/workers/enrol', { host, publicKey: pair.publicKey }, headers);
    expect([answer.statusCode, answer.body]).toEqual([201, expect.any(String)]);
    keys.set(host, pair);
  }

  const create = async (name: string, host?: string): Promise<string> => {
    const body = { files: [{ path: `${name}.bin`, sizeBytes: 1, sha256: 'a'.repeat(64) }], ...(host ? { host } : {}) };
    return (await api.call('POST', '/api/downloads', body)).json<DownloadRequest>().downloads[0]!.id;
  };
  const statusOf = async (id: string): Promise<string> =>
    (await api.call('GET', `/api/downloads/${id}`)).json<Download>().status;

  const finished = (downloadId: string): WorkerEvent => ({
    ...{
      type: 'download.finished',
      downloadId,
      generation: 1,
      at: Date.now(),
      outcome: 'primary_success',
      sizeBytes: 1,
    },
    ...{
      sha256: 'a'.repeat(64),
      cid: null,
      verified: true,
      path: '/m/a',
      durationMs: 1,
      resumedBytes: 0,
      wastedBytes: 0,
    },
    sources: [],
  });

  const of = (downloadId: string) => ({ downloadId, generation: 1, at: Date.now() });

  let sequence = 0;
  function received(
    host: string | null,
    events: WorkerEvent[],
    {
      by = host,
      more = {},
      isReadAgain = false,
    }: Partial<{ by: string | null; more: object; isReadAgain: boolean }> = {},
  ): ReceivedBatch {
    const boot = by === null ? {} : { boot: BOOT };
    const common = {
      version: 1,
      host,
      bootId: randomUUID(),
      sequence: (sequence += 1),
      sentAt: Date.now(),
      events,
    } as const;
    const batch: EventBatch = { ...common, ...boot, ...more };
    const text = JSON.stringify(batch);
    const signature = by === null ? undefined : signerOf(keys.get(by)!.privateKey)(text);
    return { batch, text, signature, isReadAgain };
  }

  const record = (...batches: ReceivedBatch[]) => recordReceived(api.deps, batches);
  const refused = async (host: string): Promise<Record<string, number>> => {
    const { refused: rows } = (await api.call('GET', `/api/refused-events?host=${host}`)).json<RefusedEventsList>();
    return Object.fromEntries(rows.map(({ reason, events }) => [reason, events]));
  };

  it('N46 count with the signature of the host that they name', async () => {
    const id = await create('signed', 'gpu-1');
    expect(await record(received('gpu-1', [finished(id)]))).toEqual({ applied: 1, dropped: 0 });
    expect(await statusOf(id)).toBe('success');
  });

  it('N46 are dropped, counted and remembered without a signature, with that of another host, and changed on the way', async () => {
    const id = await create('forged', 'gpu-1');
    const sealed = received('gpu-1', []);
    const changed = { ...sealed, batch: { ...sealed.batch, events: [finished(id)] }, text: `${sealed.text} ` };
    const batches = [
      received('gpu-1', [finished(id)], { by: null }),
      received('gpu-1', [finished(id)], { by: 'gpu-2' }),
      received('GPU-1', [finished(id)], { by: 'gpu-2' }),
      changed,
    ];
    expect(await record(...batches)).toEqual({ applied: 0, dropped: 4 });
    expect(await statusOf(id)).toBe('pending');
    expect(await refused('gpu-1')).toEqual({ unsigned: 1, forged: 3 });
    const audit = await api.call('GET', '/api/audit?action=refuseEvents', undefined, asAdmin());
    expect([audit.statusCode, audit.body]).toEqual([200, expect.stringContaining('hosts/gpu-1')]);
    const row = (await api.call('GET', '/api/hosts/gpu-1')).json<{ lastSeenAt: string }>();
    expect(row.lastSeenAt).not.toBeNull();
  });

  it('N46 positions that are gathered count as those of their batches: with the signature, and once', async () => {
    const id = await create('gathered', 'gpu-1');
    const position = (committedBytes: number): WorkerEvent => ({
      ...{ type: 'download.progress', downloadId: id, generation: 1, at: Date.now(), committedBytes, totalBytes: 10 },
      ...{ bytesPerSecond: 1, source: null, retries: 0 },
    });
    const write = async (one: ReceivedBatch) => {
      const { database, enrolment } = api.deps;
      const { batches, proofs } = believeBatches([one], await keysOfBatches(database, [one]), enrolment);
      const later = new Date(api.deps.now().getTime() + 60_000);
      const { running, ignored, refused: repeats } = await writePositions(database, batches, later, proofs);
      return { batches: batches.length, running: [...running], ignored, repeats: repeats.length };
    };
    await record(received('gpu-1', [{ type: 'download.started', ...of(id), attempt: 1, resumedBytes: 0 }]));
    const [forged, good] = [received('gpu-1', [position(3)], { by: 'gpu-2' }), received('gpu-1', [position(4)])];
    const foreign = received('gpu-2', [position(5)]);
    expect(await write(forged)).toMatchObject({ batches: 0, running: [] });
    expect(await write(good)).toEqual({ batches: 1, running: [id], ignored: 0, repeats: 0 });
    expect(await write(good)).toEqual({ batches: 1, running: [], ignored: 1, repeats: 1 });
    expect(await write(foreign)).toEqual({ batches: 1, running: [], ignored: 1, repeats: 0 });
    expect((await api.call('GET', `/api/downloads/${id}`)).json<Download>().bytes).toBe(4);
  });

  it('N46 that were applied before change nothing, in whatever order they come', async () => {
    const [first, second] = [await create('once', 'gpu-2'), await create('twice', 'gpu-2')];
    const [one, two] = [received('gpu-2', [finished(first)]), received('gpu-2', [finished(second)])];
    expect(await record(two)).toEqual({ applied: 1, dropped: 0 });
    expect(await record(one)).toEqual({ applied: 1, dropped: 0 });
    expect(await refused('gpu-2')).toEqual({});
    expect(await record({ ...one, isReadAgain: true })).toEqual({ applied: 0, dropped: 1 });
    expect(await refused('gpu-2')).toEqual({});
    expect(await record(one, two)).toEqual({ applied: 0, dropped: 2 });
    expect(await refused('gpu-2')).toEqual({ replayed: 2 });
  });

  it('N46 of a boot of long ago are no news', async () => {
    for (const boot of [2_000, 3_000, 4_000, 5_000]) await record(received('gpu-2', [], { more: { boot } }));
    const id = await create('old', 'gpu-2');
    expect(await record(received('gpu-2', [finished(id)], { more: { boot: 999 } }))).toEqual({
      applied: 0,
      dropped: 1,
    });
    expect(await statusOf(id)).toBe('pending');
  });

  it('N47 about downloads of another host or of the pool count for nothing, and what is beside them counts', async () => {
    const [own, other, pool] = [await create('own', 'gpu-1'), await create('other', 'gpu-2'), await create('pool')];
    expect(await record(received('gpu-1', [finished(other), finished(pool), finished(own)]))).toEqual({
      ...{ applied: 1, dropped: 2 },
    });
    expect([await statusOf(own), await statusOf(other), await statusOf(pool)]).toEqual([
      'success',
      'pending',
      'pending',
    ]);
    expect(await refused('gpu-1')).toMatchObject({ foreign: 2 });
    expect(await record(received('pool-1', [finished(pool)]))).toEqual({ applied: 1, dropped: 0 });
    expect(await statusOf(pool)).toBe('success');
  });

  it('N45 N46 of a revoked host count for nothing', async () => {
    await enrol('gpu-3', false);
    const id = await create('revoked', 'gpu-3');
    const answer = await api.call('POST', '/api/hosts/GPU-3/revoke', undefined, asAdmin());
    expect([answer.statusCode, answer.json()]).toMatchObject([200, { name: 'gpu-3' }]);
    const batches = [received('gpu-3', [finished(id)]), received('gpu-3', [finished(id)], { by: null })];
    expect(await record(...batches)).toEqual({ applied: 0, dropped: 2 });
    expect(await statusOf(id)).toBe('pending');
    expect(await refused('gpu-3')).toEqual({ revoked: 2 });
    const { body } = await api.call('GET', '/metrics');
    expect(body).toContain('haulier_refused_event_batches{reason="revoked"} 2');
  });

  it('N48 of hosts that never enrolled are believed, unless enrolment is required', async () => {
    const [named, pool] = [await create('loose', 'gpu-9'), await create('loose-pool')];
    const batches = [
      received('gpu-9', [finished(named)], { by: null }),
      received(null, [finished(pool)], { by: null }),
    ];
    const strict = { ...api.deps, enrolment: 'required' as const };
    expect(await recordReceived(strict, batches)).toEqual({ applied: 0, dropped: 2 });
    expect(await statusOf(named)).toBe('pending');
    expect(await refused('gpu-9')).toEqual({ unsigned: 1 });
    expect(await record(...batches)).toEqual({ applied: 2, dropped: 0 });
    expect([await statusOf(named), await statusOf(pool)]).toEqual(['success', 'success']);
  });
});
