import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

describe('a host whose name has capitals and an underscore', () => {
  const files = [sampleFile('model.bin', 3000)];
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf(files));
    system = await startSystem({ origin, hosts: ['GPU_Rack-01'] });
  });

  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('N40 N41 gets what is asked for it in any case, once it is known', async () => {
    const { client } = system;
    await client.publishVersion(sampleManifest('sample', files));
    await until(async () => (await client.listHosts()).length === 1, { what: 'the host reported' });
    const ask = (host: string) => client.createDownloads({ model: 'sample', host, allowUnknown: false });
    await expect(ask('gpu-rack-01')).rejects.toThrow('did you mean GPU_Rack-01?');
    const { downloads } = await ask('gpu_rack-01');
    const done = await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success');
    expect(done).toMatchObject({ host: 'GPU_Rack-01', verified: true });
    expect(await client.limitHost('GPU_RACK-01', { workerBytesPerSecond: 5e8 })).toMatchObject({
      workerBytesPerSecond: 5e8,
    });
    await client.verifyHost('gpu_RACK-01');
    await until(async () => (await system.logOf('worker-GPU_Rack-01')).includes('store verified on request'), {
      ...{ what: 'the order reached the worker' },
    });
  });
});
