import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError, UnreachableError } from '#client/api-error';
import { createClient, type ApiClient } from '#client/client';
import { messageOf } from '#core/error-facts';
import { findProgram } from '#embedded/find-program';
import { freePort } from '#os/port';
import { startNginx, type Nginx } from '../helpers/nginx.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { testCacheDir } from '../helpers/services.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const whyNot = await findProgram('nginx', { packages: ['nginx'], cacheDir: testCacheDir(), versionArgs: ['-v'] }).then(
  () => undefined,
  messageOf,
);
const title = 'three APIs behind nginx';
const suite = whyNot === undefined ? describe : describe.skip;

suite(whyNot === undefined ? title : `${title}: skipped, ${whyNot}`, () => {
  const files = Array.from({ length: 60 }, (_, n) => sampleFile(`small-${n}.bin`, 10_000 + n, `small ${n}`));
  const CALLERS = 6;
  let folder: string;
  let origin: Origin;
  let system: System;
  let nginx: Nginx;
  let client: ApiClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-balanced-'));
    origin = await startOrigin(hubOf(files));
    system = await startSystem({ origin });
    const ports = [Number(new URL(system.apiUrl).port), await freePort(), await freePort()];
    for (const port of ports.slice(1)) {
      await system.startApi(port);
      await system.awaitReady(`http://127.0.0.1:${port}`);
    }
    nginx = await startNginx({
      root: folder,
      workDir: join(folder, 'work'),
      cacheDir: testCacheDir(),
      extraHttpConfig: `upstream api {
        ${ports.map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=1s;`).join('\n')}
        keepalive 16;
      }`,
      extraServerConfig: `location / {
        proxy_pass http://api;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_read_timeout 90s;
      }`,
    });
    client = createClient({ baseUrl: nginx.url, token: system.token });
  });
  afterAll(async () => {
    await nginx.stop();
    await system.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('N30 one is killed under load: its requests are repeated by their callers, and each thing happens once', async () => {
    let broken = 0;
    async function persistently<Result>(work: () => Promise<Result>): Promise<Result> {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          const isGateway = error instanceof ApiError && [502, 503, 504].includes(error.status);
          if (!isGateway && !(error instanceof UnreachableError)) throw error;
          broken += 1;
        }
      }
    }
    const todo = files.map((file, n) => ({ file, n }));
    const caller = async (): Promise<void> => {
      for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
        const { file, n } = next;
        await persistently(() => client.publishVersion(sampleManifest(`small-${n}`, [file])));
        const order = { model: `small-${n}`, host: 'host-a' };
        const { downloads } = await persistently(() => client.createDownloads(order));
        if (n === files.length / 3) await system.kill(system.api);
        const { id } = downloads[0]!;
        const options = { waitMs: 55_000, until: 'final' } as const;
        const success = async (): Promise<boolean> =>
          (await persistently(() => client.waitForDownload(id, options))).status === 'success';
        await until(success, { what: `${file.path} is there` });
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    // What was on its way to the killed process breaks; nginx takes further requests to the others by itself.
    expect(broken).toBeLessThanOrEqual(CALLERS);
    const sent = origin.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent).toBe(files.reduce((sum, { content }) => sum + content.size, 0));
    expect((await client.getStatus()).downloads.success).toBe(files.length);
  });
});
