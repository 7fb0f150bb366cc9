import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { freePort } from '#os/port';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

describe('an outage of every source', () => {
  const file = sampleFile('model.bin', MIB);
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([file]));
    system = await startSystem({ origin, env: { HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' } });
    await system.client.publishVersion(sampleManifest('sample', [file]));
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('F40 RE3 pauses the download without an attempt, says why, and goes on by itself when a source is back', async () => {
    origin.rules.push({ path: '/resolve/', fault: { do: 'status', status: 503 } });
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    const { id } = downloads[0]!;
    const waiting = await system.awaitDownload(id, ({ reason }) => reason === 'sources_unavailable');
    expect(waiting).toMatchObject({ status: 'paused', attempts: 0, attemptsLeft: 3 });
    expect(waiting.message).toMatch(/^no source can be reached; they are asked again until .*503/);
    expect(Date.parse(waiting.retryAt!)).toBeLessThanOrEqual(Date.parse(waiting.deadlineAt));

    origin.rules.pop();
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(done).toMatchObject({ attempts: 1, reason: 'verified', retryAt: null });
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
  });

  it('F41 F42 ends at the deadline of the request with the first reason of the source', async () => {
    const port = await freePort();
    const { downloads } = await system.client.createDownloads({
      name: 'gone',
      files: [
        {
          path: 'gone.bin',
          sha256: 'a'.repeat(64),
          sources: [{ kind: 'mirror', url: `http://127.0.0.1:${port}/gone.bin` }],
        },
      ],
      host: 'host-a',
      deadline: '8s',
    });
    const failed = await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'failed');
    expect(failed).toMatchObject({ reason: 'deadline', attempts: 1, outcome: 'all_layers_exhausted' });
    expect(failed.error).toMatch(/its deadline .* passed; no source could give .*ECONNREFUSED/);
  });
});
