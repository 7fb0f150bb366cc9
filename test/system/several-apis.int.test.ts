import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient, type ApiClient } from '#client/client';
import { MIB } from '#core/units';
import { freePort } from '#os/port';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { expectWithin } from '../helpers/within.ts';

describe('several APIs on one database and one Redis', () => {
  const files = Array.from({ length: 16 }, (_, n) => sampleFile(`part-${n}.bin`, MIB + n, `part ${n}`));
  let origin: Origin;
  let system: System;
  let second: ApiClient;
  let secondUrl: string;

  beforeAll(async () => {
    origin = await startOrigin(hubOf(files));
    system = await startSystem({ origin });
    const port = await freePort();
    secondUrl = `http://127.0.0.1:${port}`;
    await system.startApi(port);
    await system.awaitReady(secondUrl);
    second = createClient({ baseUrl: secondUrl, token: system.token });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('share the work of queueing and recording, each thing once', async () => {
    const orders = files.map(async (file, n) => {
      const client = n % 2 === 0 ? system.client : second;
      await client.publishVersion(sampleManifest(`model-${n}`, [file]));
      return (await client.createDownloads({ model: `model-${n}`, host: 'host-a' })).downloads[0]!.id;
    });
    for (const id of await Promise.all(orders)) await system.awaitDownload(id, ({ status }) => status === 'success');
    expect((await second.getStatus()).downloads.success).toBe(files.length);
    const sent = origin.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent).toBe(files.reduce((sum, { content }) => sum + content.size, 0));
    // Redis gives a batch of events to either of them: the host is asked again until both have had some.
    const applied = async (client: ApiClient): Promise<number> => (await client.getStatus()).events.applied;
    const bothApplied = async (): Promise<boolean> => {
      await system.client.createDownloads({ model: 'model-0', host: 'host-a' });
      return (await applied(system.client)) > 0 && (await applied(second)) > 0;
    };
    await until(bothApplied, { what: 'both have recorded events' });
  });

  it('a long-poll at one sees within a second a change made at another', async () => {
    const wish = { files: [{ path: 'never.bin', sizeBytes: 1, sha256: 'a'.repeat(64) }], host: 'host-z' };
    const { id } = (await system.client.createDownloads(wish)).downloads[0]!;
    await system.awaitDownload(id, ({ reason }) => reason !== 'not_queued_yet');
    const waiting = system.client.waitForDownload(id, { waitMs: 30_000, until: 'final' });
    await second.cancelDownload(id);
    expect((await expectWithin(1000, () => waiting)).status).toBe('cancelled');
  });
});
