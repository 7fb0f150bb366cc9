import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Manifest } from '#contracts/manifest';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Database } from '#database/sql/connect';
import { applyEvents } from '#database/history/event-queries';
import { listNotices } from '#database/hosts/host-queries';
import { putManifest } from '#database/models/model-queries';
import { pinModel } from '#database/models/pin-queries';
import { outdatedModels } from '#database/models/version-queries';
import { dueModels, makeCheckDue, setNextCheck } from '#database/models/version-schedule';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, checksOf, SHA256 } from '../fixtures.ts';

type Checked = Extract<WorkerEvent, { type: 'version.checked' }>;
const commit = (letter: string): string => letter.repeat(40);

describe('newer versions', () => {
  let made: TestDatabase;
  let database: Database;
  let model: string;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());
  beforeEach(async () => {
    model = `m-${randomUUID()}`;
    await publish('1', commit('a'), 0);
  });

  const publish = (version: string, revision: string, seconds: number) =>
    putManifest(
      database,
      Manifest.parse({
        name: model,
        version,
        files: [{ path: 'a.bin', sha256: SHA256 }],
        sources: [{ kind: 'huggingface', repo: 'acme/sample', revision }],
      }),
      at(seconds),
    );

  const checked = (seconds: number, more: Partial<Checked> = {}): Checked => ({
    type: 'version.checked',
    at: at(seconds).getTime(),
    model,
    current: '1',
    source: 'huggingface',
    available: commit('b'),
    newer: true,
    error: null,
    ...more,
  });
  const failure = { available: null, newer: false, error: 'hub: 503' };
  const say = (events: WorkerEvent[], seconds = 100) => applyEvents(database, [batch(events)], at(seconds));
  const flags = () => outdatedModels(database, model);
  const notices = async () =>
    (await listNotices(database, { notice: 'newer_version', limit: 100 })).filter((notice) => notice.model === model);
  const dueAt = async (now: Date) => (await dueModels(database, now, 1000)).find(({ name }) => name === model)?.dueAt;

  it('VE2 is due with the first publication and with each further one', async () => {
    expect(await dueAt(at(0))).toEqual(at(0));
    const [due] = (await dueModels(database, at(0), 1000)).filter(({ name }) => name === model);
    await setNextCheck(database, due!, at(1000));
    expect(await dueAt(at(999))).toBeUndefined();
    await publish('2', commit('b'), 500);
    expect(await dueAt(at(500))).toEqual(at(500));
  });

  it('a slot that another process moved meanwhile is not overwritten', async () => {
    const [due] = (await dueModels(database, at(0), 1000)).filter(({ name }) => name === model);
    await setNextCheck(database, due!, at(1000));
    await setNextCheck(database, due!, at(2000));
    expect(await dueAt(at(1000))).toEqual(at(1000));
  });

  it('is made due by a request, and stays due when it is already', async () => {
    expect(await makeCheckDue(database, model, at(50))).toBe(true);
    expect(await dueAt(at(50))).toEqual(at(0));
    expect(await makeCheckDue(database, 'nobody', at(50))).toBe(false);
  });

  it('VE2 raises a flag and publishes one notice, however often it is seen', async () => {
    expect((await say([checked(10)])).newer).toEqual([
      { model, current: '1', available: commit('b'), source: 'huggingface' },
    ]);
    expect((await say([checked(20)])).newer).toEqual([]);
    expect(await flags()).toEqual([{ model, current: '1', newer: commit('b') }]);
    expect(await notices()).toHaveLength(1);
    await say([checked(30, { available: commit('d') })]);
    expect(await notices()).toHaveLength(2);
  });

  it('the same batch again publishes nothing more', async () => {
    const said = batch([checked(10)]);
    await applyEvents(database, [said], at(100));
    await applyEvents(database, [said], at(100));
    expect(await notices()).toHaveLength(1);
  });

  it('E14 an answer that is older than the last one, or names a published version, changes nothing', async () => {
    await publish('2', commit('b'), 5);
    await say([checked(20, { current: '2', available: commit('b'), newer: false })]);
    await say([checked(10, { current: '2', available: commit('c') })]);
    expect(await flags()).toEqual([]);
    await say([checked(30, { current: '2', available: commit('a') })]);
    expect(await flags()).toEqual([]);
    expect(await notices()).toEqual([]);
  });

  it('an answer about a version that was replaced meanwhile is dropped, and the flag goes with a new version', async () => {
    await say([checked(10)]);
    await publish('2', commit('b'), 15);
    expect(await flags()).toEqual([]);
    await say([checked(20)]);
    expect(await flags()).toEqual([]);
  });

  it('VE6 a pinned model is checked and not called outdated', async () => {
    await pinModel(database, model, '1', at(1));
    expect((await say([checked(10)])).newer).toEqual([]);
    expect(await flags()).toEqual([]);
    expect(await notices()).toEqual([]);
    expect(await checksOf(database, model)).toMatchObject([{ available: commit('b'), newer: true }]);
  });

  it('a check that failed keeps what was known, says why, and is repeated within the hour', async () => {
    await say([checked(10)]);
    const [due] = (await dueModels(database, at(0), 1000)).filter(({ name }) => name === model);
    await setNextCheck(database, due!, at(86_400));
    await say([checked(20, failure)], 100);
    expect(await flags()).toEqual([{ model, current: '1', newer: commit('b') }]);
    expect(await checksOf(database, model)).toMatchObject([
      { error: 'hub: 503', checkedAt: at(20), answeredAt: at(10) },
    ]);
    expect(await dueAt(at(100 + 3600))).toEqual(at(100 + 3600));
  });
});
