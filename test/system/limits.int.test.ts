import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

describe('limits of bytes per second', () => {
  const file = sampleFile('big.bin', 64 * MIB);
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin(hubOf([file]));
    system = await startSystem({ origin });
  }, 30_000);

  afterEach(async () => {
    await system.stop();
    await origin.close();
  }, 30_000);

  const committed = async (id: string): Promise<number> => (await system.client.getDownload(id)).bytes;

  it('EX2 the limit of a download is changed while it runs', async () => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const request = { model: 'sample', host: 'host-a', limitBytesPerSecond: 2 * MIB };
    const { id } = (await system.client.createDownloads(request)).downloads[0]!;
    await until(async () => (await committed(id)) >= 4 * MIB, { what: 'two seconds of bytes' });
    expect(await committed(id)).toBeLessThan(file.content.size / 2);

    await system.client.limitDownload(id, null);
    const startedAt = performance.now();
    await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  }, 60_000);

  it('EX2 refuses a limit that is no rate, and names the field', async () => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const { id } = (await system.client.createDownloads({ model: 'sample', host: 'host-a' })).downloads[0]!;
    await expect(system.client.limitDownload(id, 0)).rejects.toMatchObject({
      status: 400,
      problem: { errors: [expect.objectContaining({ pointer: '/bytesPerSecond' })] },
    });
  }, 60_000);
});
