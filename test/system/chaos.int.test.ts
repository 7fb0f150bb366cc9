import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { fc } from '../helpers/properties.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { blobsOf, partialsOf } from './store-contents.ts';

/** What dies in each round; both at once are the crashes that heal worst. */
const ROUNDS = [['api'], ['worker'], ['api', 'worker'], ['worker', 'api'], ['api']] as const;

describe('crashes at random moments', () => {
  const files = Array.from({ length: 20 }, (_, n) => sampleFile(`part-${n}.bin`, 3 * MIB + n, `part ${n}`));
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf(files), [], { bytesPerSecond: 2 * MIB });
    const apiEnv = { HAULIER_SILENT_AFTER: '2s', HAULIER_SWEEP_EVERY: '500ms' };
    system = await startSystem({ origin, apiEnv });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('J03 H04 RE15 the API and the worker are killed again and again: twenty downloads succeed, each published once', async () => {
    await system.client.publishVersion(sampleManifest('crowd', files));
    const { downloads } = await system.client.createDownloads({ model: 'crowd', host: 'host-a' });
    const running = { api: system.api, worker: system.workers[0]! };
    const moments: number[] = [];
    const sent = (): number => origin.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    const leaps = fc.sample(fc.nat(6 * MIB), ROUNDS.length);
    const total = files.reduce((sum, { content }) => sum + content.size, 0);
    for (const [round, victims] of ROUNDS.entries()) {
      // A slow test may come when all of it is sent.
      const moment = Math.min(sent() + leaps[round]!, total);
      moments.push(moment);
      await until(() => sent() >= moment, { what: `${moment} bytes are sent (${moments.join()})` });
      await Promise.all(victims.map((victim) => system.kill(running[victim])));
      for (const victim of victims)
        running[victim] = victim === 'api' ? await system.startApi() : await system.startWorker('host-a');
    }
    await system.awaitReady();
    for (const { id, file } of downloads) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success');
      expect(await sha256OfFile(done.path!)).toBe(files.find(({ path }) => path === file)!.sha256);
    }
    const counts = (await system.client.getStatus()).downloads;
    expect(counts).toMatchObject({ success: 20, failed: 0, pending: 0, in_progress: 0, resuming: 0, paused: 0 });
    expect(await blobsOf(system.homeOf('host-a'))).toEqual(files.map(({ sha256 }) => sha256).sort());
    await until(async () => (await partialsOf(system.homeOf('host-a'))).length === 0, { what: 'no partial is left' });
  });
});
