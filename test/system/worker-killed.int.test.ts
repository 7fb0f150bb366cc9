import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { expectWithin } from '../helpers/within.ts';

const CHECKPOINT_BYTES = 64 * MIB;
const BYTES_PER_SECOND = 80 * MIB;

describe('a worker that is killed', () => {
  const file = sampleFile('big.bin', 200 * MIB);
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin(hubOf([file]), [], { bytesPerSecond: BYTES_PER_SECOND });
    system = await startSystem({ origin });
  });

  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const sentBytes = (): number => origin.requests.reduce((sum, request) => sum + request.bytesSent, 0);

  it.each([0.25, 0.5, 0.75])(
    'RE1 RE15 H04 SIGKILL at %p of a 200 MB transfer costs at most one checkpoint',
    async (share) => {
      await system.client.publishVersion(sampleManifest('sample', [file]));
      const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
      await until(() => sentBytes() >= share * file.content.size, { what: 'bytes to arrive' });
      await system.kill(system.workers[0]!);
      const before = sentBytes();

      await system.startWorker('host-a');
      const done = await system.awaitDownload(downloads[0]!.id, (download) => download.status === 'success');

      expect(await sha256OfFile(done.path!)).toBe(file.sha256);
      expect(before).toBeGreaterThanOrEqual(share * file.content.size);
      expect(sentBytes() - file.content.size).toBeLessThanOrEqual(CHECKPOINT_BYTES);
      expect(done.attempts).toBeGreaterThanOrEqual(1);
    },
  );

  it('H02 SIGTERM puts the job back within two seconds and burns no attempt', async () => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    await until(() => sentBytes() >= 0.3 * file.content.size, { what: 'bytes to arrive' });

    await expectWithin(2500, () => system.workers[0]!.stop());
    const paused = await system.awaitDownload(downloads[0]!.id, (download) => download.status === 'paused');
    expect(paused.reason).toBe('worker_shutdown');

    await system.startWorker('host-a');
    const done = await system.awaitDownload(downloads[0]!.id, (download) => download.status === 'success');
    expect(new Set(done.tries.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    expect(sentBytes() - file.content.size).toBeLessThanOrEqual(CHECKPOINT_BYTES);
  });

  it('H02 SIGTERM while the whole file is verified and published: it is put back or there, never something between', async () => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    const { id } = downloads[0]!;
    await until(() => sentBytes() >= file.content.size, { what: 'the last byte to be sent' });

    await expectWithin(2500, () => system.workers[0]!.stop());
    const left = await system.awaitDownload(id, ({ status }) => status === 'paused' || status === 'success');
    expect(['paused worker_shutdown', 'success verified']).toContain(`${left.status} ${left.reason}`);

    await system.startWorker('host-a');
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(new Set(done.tries.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    expect(sentBytes() - file.content.size).toBeLessThanOrEqual(CHECKPOINT_BYTES);
  });
});
