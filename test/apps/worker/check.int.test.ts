import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openStore } from '#store/open-store';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { testRedisUrl } from '../../helpers/services.ts';

expectNoLeaks();

describe('the health check of a worker', () => {
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-check-'));
  });

  afterEach(() => rm(home, { recursive: true }));

  async function check(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
    const child = spawn(process.execPath, ['dist/apps/worker/main.js', '--check'], {
      env: { PATH: process.env['PATH'], HAULIER_HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [said, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { code: code as number | null, said: `${said}${complaint}` };
  }

  it('ends with 0 when Redis answers and the store can be written, and leaves nothing there', async () => {
    const { paths } = await openStore({ home });
    expect(await check({ REDIS_URL: testRedisUrl() })).toEqual({
      code: 0,
      said: `Redis answers, and the store in ${home} can be written\n`,
    });
    expect(await readdir(paths.partials)).toEqual([]);
  });

  it('ends with 1 and a sentence while Redis is down', async () => {
    await openStore({ home });
    const { code, said } = await check({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(code).toBe(1);
    expect(said).toBe('Redis does not answer: connect ECONNREFUSED 127.0.0.1:1\n');
  });

  it('ends with 1 and a sentence when there is no store, or none that can be written', async () => {
    const { code, said } = await check({ REDIS_URL: testRedisUrl() });
    expect({ code, said }).toEqual({
      code: 1,
      said: `there is no store in ${home}: a worker makes it when it starts\n`,
    });
    await writeFile(join(home, 'partials'), 'a file where a folder belongs');
    expect((await check({ REDIS_URL: testRedisUrl() })).code).toBe(1);
  });

  it('ends with 1 and names what is wrong with the configuration', async () => {
    const { code, said } = await check({ REDIS_URL: 'localhost' });
    expect(code).toBe(1);
    expect(said).toContain('REDIS_URL');
  });
});
