import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';
import { expectWithin } from '../../helpers/within.ts';

expectNoLeaks();

describe('worker process', () => {
  let test: TestRedis;
  let home: string;

  beforeEach(async () => {
    test = testRedis();
    home = await mkdtemp(join(tmpdir(), 'haulier-worker-'));
  });

  afterEach(async () => {
    await test.cleanup();
    await rm(home, { recursive: true });
  });

  const start = (env: Record<string, string>): ChildProcess =>
    spawn(process.execPath, ['dist/apps/worker/main.js'], {
      env: { PATH: process.env['PATH'], HAULIER_HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  const exitOf = async (child: ChildProcess): Promise<number | null> => (await once(child, 'exit'))[0] as number | null;

  /** Keeps reading the output afterwards: a worker whose log has no reader any more ends with EPIPE. */
  async function untilSaid(child: ChildProcess, text: string): Promise<void> {
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
        if (said.includes(text)) resolve();
      });
      child.once('exit', () => reject(new Error(`the worker ended without saying "${text}": ${said}`)));
    });
  }

  it('H02 stops in order on SIGTERM within two seconds and exits 0', async () => {
    const child = start({ REDIS_URL: test.settings.url, HAULIER_REDIS_PREFIX: test.settings.prefix });
    await untilSaid(child, 'worker takes jobs');
    child.kill('SIGTERM');
    expect(await expectWithin(2_000, () => exitOf(child))).toBe(0);
  });

  it('I01 waits for a Redis that is down, and still stops within two seconds', async () => {
    const child = start({ REDIS_URL: 'redis://127.0.0.1:1' });
    await untilSaid(child, 'redis connection lost');
    child.kill('SIGTERM');
    expect(await expectWithin(2_000, () => exitOf(child))).toBe(0);
  });

  it('refuses a bad configuration with one message and exit code 1', async () => {
    const child = start({ REDIS_URL: 'localhost', HAULIER_CONCURRENCY: 'many' });
    const chunks: string[] = [];
    child.stderr!.on('data', (chunk) => chunks.push(String(chunk)));
    expect(await exitOf(child)).toBe(1);
    expect(chunks.join('')).toMatch(/REDIS_URL.*\n.*HAULIER_CONCURRENCY/);
  });
});
