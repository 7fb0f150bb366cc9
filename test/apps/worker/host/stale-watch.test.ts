import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { DAY_MS } from '#core/units';
import type { ModelRecords } from '#store/models/model-records';
import { StaleWatch } from '../../../../apps/worker/host/stale-watch.ts';
import { VersionAnswers } from '../../../../apps/worker/host/version-answers.ts';

const START = Date.UTC(2026, 0, 1);

describe('the age of what a host serves', () => {
  let folder: string;
  let nowMs: number;
  let fleet: Map<string, number> | undefined;
  let told: WorkerEvent[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-stale-'));
    nowMs = START;
    fleet = new Map();
    told = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const version = {
    type: null,
    ipfsHash: null,
    hfRevision: null,
    downloadedAt: new Date(START).toISOString(),
    replacedAt: null,
    pinned: false,
    files: new Map(),
  };
  const records: ModelRecords = new Map([
    ['sample', { version: '1', previousVersion: null, versions: new Map([['1', version]]) }],
  ]);
  const path = (): string => join(folder, 'worker', 'version-answers.json');
  const watchOf = (): StaleWatch =>
    new StaleWatch({
      store: { records: async () => records },
      answers: new VersionAnswers(path()),
      readFleetAnswers: async () => fleet,
      publish: (event) => void told.push(event),
      logger: silentLogger,
      now: () => nowMs,
    });

  const stateAt = async (watch: StaleWatch, days: number, beyondMs = 0): Promise<string | undefined> => {
    nowMs = START + days * DAY_MS + beyondMs;
    await watch.lookAtAll();
    return (await watch.lookAt('sample'))?.state;
  };

  it('VE4 is fresh for 90 days, then served 7 more while its origin does not answer, then told as degraded once', async () => {
    fleet!.set('sample', START);
    const watch = watchOf();
    expect(await stateAt(watch, 90)).toBe('fresh');
    expect(await stateAt(watch, 90, 1)).toBe('stale-check-failed');
    expect(await stateAt(watch, 97)).toBe('stale-check-failed');
    expect(told).toEqual([]);
    expect(await stateAt(watch, 97, 1)).toBe('expired');
    expect(await stateAt(watch, 98)).toBe('expired');
    expect(told).toMatchObject([{ type: 'host.notice', notice: 'degraded', model: 'sample', facts: { ageDays: 97 } }]);
  });

  it('VE4 is served for 365 days while the host is offline', async () => {
    fleet = undefined;
    const watch = watchOf();
    expect(await stateAt(watch, 365)).toBe('stale-offline');
    expect(told).toEqual([]);
    expect(await stateAt(watch, 365, 1)).toBe('expired');
    expect(told).toHaveLength(1);
  });

  it('an answer of the origin to any host of the fleet makes it fresh again', async () => {
    fleet!.set('sample', START);
    const watch = watchOf();
    expect(await stateAt(watch, 98)).toBe('expired');
    fleet!.set('sample', START + 98 * DAY_MS);
    expect(await stateAt(watch, 98)).toBe('fresh');
    expect(await stateAt(watch, 98 + 98)).toBe('expired');
    expect(told).toHaveLength(2);
  });

  it('learns from a job, and knows it after a restart without the fleet', async () => {
    nowMs = START + 80 * DAY_MS;
    await watchOf().lookAt('sample', START + 80 * DAY_MS);
    fleet = undefined;
    expect(await stateAt(watchOf(), 170)).toBe('fresh');
  });

  it('a model without checks has the longest limit; a model that is not on the host has none', async () => {
    const watch = watchOf();
    expect(await stateAt(watch, 200)).toBe('stale');
    expect(await watch.lookAt('other')).toBeUndefined();
  });

  it('a damaged file counts as not known', async () => {
    await watchOf().lookAt('sample', START + DAY_MS);
    await writeFile(path(), '{"sample":');
    expect(await stateAt(watchOf(), 91)).toBe('stale');
  });
});
