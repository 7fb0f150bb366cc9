import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { findProgram } from '#embedded/find-program';
import { messageOf } from '#core/error-facts';
import { expectNoLeaks } from './leaks.ts';
import { startNginx } from './nginx.ts';
import { testCacheDir } from './services.ts';

expectNoLeaks();

const whyNot = await findProgram('nginx', { packages: ['nginx'], cacheDir: testCacheDir(), versionArgs: ['-v'] }).then(
  () => undefined,
  messageOf,
);
const test = whyNot === undefined ? it : it.skip;

test(`serves ranges of a folder and stops twice without harm${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, async () => {
  const root = await mkdtemp(join(tmpdir(), 'haulier-nginx-'));
  await writeFile(join(root, 'file.bin'), '0123456789');
  const nginx = await startNginx({ root, workDir: join(root, 'work'), cacheDir: testCacheDir() });
  try {
    const answer = await fetch(`${nginx.url}/file.bin`, { headers: { range: 'bytes=2-4', connection: 'close' } });
    expect([answer.status, await answer.text()]).toEqual([206, '234']);
  } finally {
    await nginx.stop();
    await nginx.stop();
    await rm(root, { recursive: true, force: true });
  }
});
