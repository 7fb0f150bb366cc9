import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BATCH_FIELD } from '#queue/events/event-stream';
import { epochKey, eventStreamKey, shardOf, taggedPrefix } from '#queue/keys';
import { checkEpoch } from '../../../../apps/api/background/check-epoch.ts';
import { requeueSilent } from '../../../../apps/api/background/requeue-silent.ts';
import { createRecorder } from '../../../../apps/api/background/recorder.ts';
import { createRelay, relayAll } from '../../../../apps/api/background/relay.ts';
import { testRedisUrl } from '../../../helpers/services.ts';
import { until } from '../../../helpers/until.ts';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';
import { batch, callsOf, finished } from './carrying.ts';

let api: TestApp;
beforeEach(async () => {
  api = await startApp();
});
afterEach(() => api.stop());

const { create, get, jobState } = callsOf(() => api);

describe('the reconciler', () => {
  it('queues a job again that vanished from Redis, and leaves a waiting one alone', async () => {
    const lost = await create('lost');
    const waiting = await create('waiting');
    await relayAll(api.deps);
    await api.deps.queues.remove({ host: null, id: `${lost.id}.g1` });
    await api.deps.database.pool.query(`UPDATE downloads SET heartbeat_at = now() - interval '10 minutes'`);
    await requeueSilent(api.deps, { silentAfterMs: 240_000 });
    await relayAll(api.deps);
    expect(await jobState(lost.id, 2)).toBe('open');
    expect(await jobState(waiting.id, 1)).toBe('open');
    expect(await jobState(waiting.id, 2)).toBe('absent');
  });

  describe('after an outage of the API, with the events of a job that ended meanwhile still in the stream', () => {
    const sweep = (recordedWithinMs: number): Promise<boolean> =>
      requeueSilent(api.deps, { silentAfterMs: 240_000, recordedWithinMs });
    const settings = () => ({ url: testRedisUrl(), prefix: api.deps.prefix });

    /** The worker is done, its job is gone, and no recorder ran. */
    const doneUnseen = async (): Promise<string> => {
      const { id } = await create('unseen');
      await relayAll(api.deps);
      const { redis } = api.deps.queues;
      await redis.xadd(eventStreamKey(api.deps.prefix), '*', BATCH_FIELD, JSON.stringify(batch([finished(id)])));
      await api.deps.queues.remove({ host: null, id: `${id}.g1` });
      await api.deps.database.pool.query(`UPDATE downloads SET heartbeat_at = now() - interval '10 minutes'`);
      return id;
    };

    it('N12 waits for the recorder, and the download is not run a second time', async () => {
      const id = await doneUnseen();
      const sweeping = sweep(45_000);
      const recorder = createRecorder(api.deps, settings(), 'late');
      recorder.start();
      await sweeping;
      expect(await get(id)).toMatchObject({ status: 'success', reason: 'verified' });
      await relayAll(api.deps);
      expect(await jobState(id, 2)).toBe('absent');
      await recorder.stop();
    });

    it('N12 leaves it to the next round when the recorder does not come', async () => {
      const id = await doneUnseen();
      expect(await sweep(0)).toBe(false);
      await relayAll(api.deps);
      expect(await jobState(id, 2)).toBe('absent');
    });
  });

  it('I03 notices that Redis lost its data and queues all open downloads again', async () => {
    await checkEpoch(api.deps);
    const { id } = await create('flushed');
    await relayAll(api.deps);
    const { redis } = api.deps.queues;
    await redis.del(...(await redis.keys(`${api.deps.prefix.replace('}', '')}-*`)));
    await Promise.all([checkEpoch(api.deps), checkEpoch(api.deps)]);
    await relayAll(api.deps);
    expect(await jobState(id, 2)).toBe('open');
    expect(await redis.get(epochKey(api.deps.prefix, 'pool'))).not.toBeNull();
    await checkEpoch(api.deps);
    await relayAll(api.deps);
    expect(await jobState(id, 3)).toBe('absent');
  });

  it('I03 does not take the first jobs of a new queue for lost ones', async () => {
    const { id } = await create('first');
    const relay = createRelay(api.deps);
    relay.start();
    await until(async () => (await jobState(id, 1)) === 'open', { what: 'the relay adds the job' });
    await relay.stop();
    await checkEpoch(api.deps);
    await relayAll(api.deps);
    expect(await jobState(id, 2)).toBe('absent');
  });

  it('I03 queues what an older version put under one prefix again', async () => {
    const { id } = await create('older');
    const { pool } = api.deps.database;
    await pool.query(`UPDATE downloads SET enqueued_generation = generation`);
    await pool.query(`INSERT INTO settings (key, value, updated_at) VALUES ('queue_epoch', 'old', now())`);
    await api.deps.queues.redis.set(`${api.deps.prefix}:epoch`, 'old');
    await checkEpoch(api.deps);
    await relayAll(api.deps);
    expect(await jobState(id, 2)).toBe('open');
    await api.deps.queues.redis.del(`${api.deps.prefix}:epoch`);
  });

  it('I03 queues only the downloads of the shard again that lost its data', async () => {
    await checkEpoch(api.deps);
    const [pool, host] = [await create('of-the-pool'), await create('of-a-host', 'gpu-1')];
    await relayAll(api.deps);
    const { redis } = api.deps.queues;
    await redis.del(...(await redis.keys(`${taggedPrefix(api.deps.prefix, shardOf('gpu-1'))}*`)));
    await checkEpoch(api.deps);
    await relayAll(api.deps);
    expect([await jobState(pool.id, 1), await jobState(pool.id, 2)]).toEqual(['open', 'absent']);
    expect(await jobState(host.id, 2, 'gpu-1')).toBe('open');
  });
});
