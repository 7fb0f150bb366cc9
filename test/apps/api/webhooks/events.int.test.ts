import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import type { RolloutEvents } from '#contracts/http/rollouts/rollout-lists';
import { HOUR_MS, MINUTE_MS } from '#core/units';
import { inTransaction } from '#database/sql/transaction';
import { moveRollout } from '#database/rollouts/moves';
import { noteSources } from '#database/history/note-sources';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { createHostWatch } from '../../../../apps/api/webhooks/watches.ts';
import type { Loop } from '../../../../apps/api/background/loop.ts';
import { until } from '../../../helpers/until.ts';
import { many } from '../rollouts/rollout-kit.ts';
import { startWebhooks, type WebhookKit } from './webhook-kit.ts';

let kit: WebhookKit;
const watches: Loop[] = [];
beforeEach(async () => {
  kit = await startWebhooks();
});
afterEach(async () => {
  await Promise.all(watches.splice(0).map((watch) => watch.stop()));
  await kit.stop();
});

/** Types that were told, in the order in which they happened. */
const told = async (id: string): Promise<string[]> => (await kit.deliveries(id)).map(({ type }) => type).reverse();

describe('a rollout', () => {
  it('tells its start, its waves, its threshold and its verdict, each once', async () => {
    await kit.report(many(4));
    const { id: webhook } = await kit.add(['rollout.*', 'wave.*']);
    const success = { percent: 75 };
    const { id } = await kit.create({ canary: 1, success });
    await kit.end(many(1), 'success');
    await kit.end(many(3), 'success');
    await kit.conduct();
    await kit.end(many(4), 'failed');
    expect(await told(webhook)).toEqual(
      expect.arrayContaining([
        ...['rollout.started', 'wave.opened', 'rollout.threshold_reached', 'wave.opened', 'rollout.succeeded'],
      ]),
    );
    expect((await told(webhook)).length).toBe(5);
    const messages = (await kit.messages(5)).map(({ type, data }) => [type, data] as const);
    expect(new Map(messages).get('rollout.succeeded')).toMatchObject({
      ...{ id, state: 'succeeded_with_failures', models: ['whisper@1'], selector: 'gpu=true' },
      counts: { targeted: 4, succeeded: 3, failed: 1 },
      threshold: { percent: 75, required: 3, met: true },
      links: { self: `/api/rollouts/${id}` },
    });
    expect(new Map(messages).get('rollout.threshold_reached')).toMatchObject({
      state: 'running',
      counts: { succeeded: 3 },
    });
    const { events } = (await kit.api.call('GET', `/api/rollouts/${id}/events?limit=500`)).json<RolloutEvents>();
    expect(events.filter(({ event }) => event === 'reach_threshold')).toHaveLength(1);
  });

  it('tells that it failed, is held at a gate, is cancelled, and is replaced', async () => {
    await kit.report(many(2));
    const { id: webhook } = await kit.add(['rollout.failed', 'rollout.cancelled', 'rollout.superseded', 'wave.held']);
    const waves = [
      { name: 'canary', hosts: 1, gate: 'manual' as const },
      { name: 'rest', percent: 100 },
    ];
    const held = await kit.create({ waves });
    await kit.end(many(1), 'success');
    await kit.act(held.id, 'cancel');
    await kit.create({});
    await kit.create({ models: ['whisper@2'] });
    await kit.end(many(2), 'failed');
    expect(await told(webhook)).toEqual(['wave.held', 'rollout.cancelled', 'rollout.superseded', 'rollout.failed']);
  });

  it('O08 tells nothing of a move that is rolled back, and nothing to a webhook that wants other events', async () => {
    await kit.report(many(1));
    const { id: webhook } = await kit.add(['rollout.paused']);
    const { id: other } = await kit.add(['host.*']);
    const { id } = await kit.create({});
    const { database, now } = kit.api.deps;
    const undone = inTransaction(database, async (client) => {
      const move = { event: 'pause', pauseReason: 'manual', reason: 'a test' } as const;
      if (await moveRollout(client, id, move, now())) throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await told(webhook)).toEqual([]);
    await kit.act(id, 'pause');
    expect(await told(webhook)).toEqual(['rollout.paused']);
    expect(await told(other)).toEqual([]);
  });
});

describe('a host', () => {
  const offlineAfterMs = 2 * MINUTE_MS;
  /** The watch of one process. @returns a function that waits for a whole round of it */
  const watch = (isDown = () => false): (() => Promise<void>) => {
    let rounds = 0;
    const checkWays = async (): Promise<void> => {
      rounds += 1;
      if (isDown()) throw new Error('Redis is away');
    };
    const loop = createHostWatch({ ...kit.api.deps, hostOfflineAfterMs: offlineAfterMs }, checkWays);
    watches.push(loop);
    loop.start();
    return async () => {
      const before = rounds;
      // The second round begins when the first has ended.
      await until(() => (loop.nudge(), rounds >= before + 2), { what: 'a round of the watch' });
    };
  };

  it('tells once that it is offline, and once that it is back, however many processes look', async () => {
    await kit.report(['gpu-1', 'gpu-2']);
    const { id: webhook } = await kit.add(['host.*']);
    const all = [watch(), watch()];
    const lookAll = (): Promise<unknown> => Promise.all(all.map((look) => look()));
    await lookAll();
    kit.pass(offlineAfterMs + 1000);
    await kit.report(['gpu-2']);
    await lookAll();
    expect((await kit.deliveries(webhook)).map(({ type, message }) => [type, message.data['host']])).toEqual([
      ['host.offline', 'gpu-1'],
    ]);
    await kit.report(['gpu-1']);
    await lookAll();
    expect(await told(webhook)).toEqual(['host.offline', 'host.online']);
  });

  it('O13 is not told offline for an outage of Redis, Postgres or the API itself', async () => {
    await kit.report(['gpu-1']);
    const { id: webhook } = await kit.add(['host.*']);
    kit.pass(10 * offlineAfterMs);
    let isDown = false;
    const look = watch(() => isDown);
    await look();
    expect(await told(webhook)).toEqual([]);
    isDown = true;
    await look();
    kit.pass(10 * offlineAfterMs);
    isDown = false;
    await look();
    expect(await told(webhook)).toEqual([]);
    kit.pass(offlineAfterMs);
    await look();
    expect(await told(webhook)).toEqual(['host.offline']);
  });
});

const batchOf = (host: string, events: WorkerEvent[], at: number): EventBatch => ({
  ...{ version: 1, host, bootId: randomUUID(), sequence: 0, sentAt: at, events },
});

const triesOf = (downloadId: string, count: number, at: number, failed?: string): WorkerEvent[] =>
  Array.from({ length: count }, (_, sequence) => ({
    ...{ type: 'try.finished' as const, downloadId, generation: 1, attempt: 1, sequence, at },
    ...{
      layer: 'ipfs' as const,
      kind: 'ipfs-gateway' as const,
      source: 'gateway.example',
      latencyMs: 5,
      bytes: 1,
      reason: null,
    },
    ...{ status: failed === undefined ? ('success' as const) : ('failure' as const) },
    ...{ errorKind: failed ?? null, errorMessage: failed === undefined ? null : 'no answer' },
  }));

describe('a source', () => {
  const order = async (host: string): Promise<string> => {
    const made = await kit.api.call('POST', '/api/downloads', { model: 'whisper', version: '1', host });
    return made.json<{ downloads: { id: string }[] }>().downloads[0]!.id;
  };
  const note = () => {
    const { database, now } = kit.api.deps;
    return noteSources(database, new Date(now().getTime() - 10 * MINUTE_MS), now());
  };

  it('tells once that it degraded, and once that it recovered; missing content is no failure of a source', async () => {
    await kit.report(['gpu-1']);
    const { id: webhook } = await kit.add(['source.*']);
    const download = await order('gpu-1');
    const record = (failed?: string, count = 12) => {
      const at = kit.api.deps.now().getTime();
      return recordBatches(kit.api.deps, [batchOf('gpu-1', triesOf(download, count, at, failed), at)]);
    };
    await record('missing');
    await record('unreachable', 9);
    expect(await note()).toEqual([]);
    kit.pass(1);
    await record('unreachable');
    expect((await Promise.all([note(), note()])).flat()).toMatchObject([
      { source: 'gateway.example', state: 'degraded', attempts: 21, successes: 0, lastError: 'no answer' },
    ]);
    kit.pass(11 * MINUTE_MS);
    await record();
    expect(await note()).toMatchObject([{ source: 'gateway.example', state: 'healthy' }]);
    expect(await note()).toEqual([]);
    expect(await told(webhook)).toEqual(['source.degraded', 'source.recovered']);
  });

  it('O14 tells once an hour for each file that it sends other bytes', async () => {
    await kit.report(many(3));
    const { id: webhook } = await kit.add(['model.checksum_mismatch']);
    const hour = Math.ceil(kit.api.deps.now().getTime() / HOUR_MS) * HOUR_MS;
    kit.pass(hour - kit.api.deps.now().getTime() + MINUTE_MS);
    const send = async (): Promise<void> => {
      const at = kit.api.deps.now().getTime();
      for (const host of many(3)) {
        const batch = batchOf(host, triesOf(await order(host), 2, at, 'digest-mismatch'), at);
        await recordBatches(kit.api.deps, [batch]);
        await recordBatches(kit.api.deps, [batch]);
      }
    };
    await send();
    expect((await kit.deliveries(webhook)).map(({ message }) => message.data)).toMatchObject([
      { where: 'source', source: 'gateway.example', model: 'whisper', version: '1', path: 'a.bin' },
    ]);
    kit.pass(HOUR_MS);
    await send();
    expect(await told(webhook)).toHaveLength(2);
  });

  it('a corrupt file on a host is told once, also when its batch comes twice', async () => {
    await kit.report(['gpu-1']);
    const { id: webhook } = await kit.add(['model.checksum_mismatch']);
    const at = kit.api.deps.now().getTime();
    const notice = { type: 'host.notice' as const, at, notice: 'corrupt' as const, model: 'whisper', path: 'a.bin' };
    const batch = batchOf('gpu-1', [{ ...notice, message: 'other bytes than published', facts: {} }], at);
    await recordBatches(kit.api.deps, [batch]);
    await recordBatches(kit.api.deps, [batch]);
    expect((await kit.deliveries(webhook)).map(({ message }) => message.data)).toMatchObject([
      { where: 'host', host: 'gpu-1', model: 'whisper', path: 'a.bin', message: 'other bytes than published' },
    ]);
  });
});
