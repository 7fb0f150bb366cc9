import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '#os/port';
import { createEmptyDatabase } from '../../helpers/database.ts';
import type { TestDatabase } from '../../helpers/database.ts';
import { testRedis } from '../../helpers/redis.ts';
import type { TestRedis } from '../../helpers/redis.ts';
import { until } from '../../helpers/until.ts';
import { expectWithin } from '../../helpers/within.ts';

const MAIN = fileURLToPath(new URL('../../../dist/apps/api/main.js', import.meta.url));

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function start(env: Record<string, string>, args: string[] = []): Started {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...env } });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

async function end({ child }: Started): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  return ((await exited) as [number | null])[0];
}

describe('the built API over real HTTP', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let api: Started;
  let url: string;
  let basic: Record<string, string>;
  let token: string;

  beforeAll(async () => {
    database = await createEmptyDatabase(2);
    redis = testRedis();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const { url: redisUrl, prefix } = redis.settings;
    api = start({
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl,
      HAULIER_REDIS_PREFIX: prefix,
      HAULIER_PORT: String(port),
    });
    await until(async () => (await fetch(`${url}/readyz`)).ok, { what: 'the API is ready', timeoutMs: 45_000 });
    token = await until(() => /haulier_pat_\w+/.exec(api.output())?.[0], { what: 'the first token is printed' });
    basic = { authorization: `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}` };
  }, 60_000);

  afterAll(async () => {
    await end(api);
    await redis.cleanup();
    await database.drop();
  }, 60_000);

  it('migrates, and prints the first admin token once', async () => {
    expect(api.output().match(/haulier_pat_/g)).toHaveLength(1);
    const status = await fetch(`${url}/api/status`, { headers: { authorization: `Bearer ${token}` } });
    expect(await status.json()).toMatchObject({ status: 'ready', components: { redis: { status: 'up' } } });
  });

  it.each(['', '/', '/api/queues', '/static/js/anything.js', '/queue/downloads'])(
    'SY4 refuses the queue board at %s without a login',
    async (path) => {
      const response = await fetch(`${url}/admin/queues${path}`);
      const body = await response.text();
      expect(response.status === 401 || (response.status === 404 && body.includes('does not exist'))).toBe(true);
      if (response.status === 401) expect(response.headers.get('www-authenticate')).toContain('Basic');
    },
  );

  it('SY4 shows the queue board to an administrator, with a policy that lets no third party in', async () => {
    const page = await fetch(`${url}/admin/queues/`, { headers: basic });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'; script-src 'self';");
    const script = /static\/js\/main\.\w+\.js/.exec(await page.text())![0];
    const bearer = { authorization: `Bearer ${token}` };
    expect((await fetch(`${url}/admin/queues/${script}`, { headers: bearer })).status).toBe(200);
    const { queues } = (await (await fetch(`${url}/admin/queues/api/queues`, { headers: basic })).json()) as {
      queues: { name: string; readOnlyMode: boolean }[];
    };
    expect(queues.map(({ name }) => name).sort()).toEqual(['downloads', 'maintenance']);
    expect(queues.every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
  });

  it('SY4 changes nothing through the queue board', async () => {
    const paused = await fetch(`${url}/admin/queues/api/queues/downloads/pause`, { method: 'PUT', headers: basic });
    expect([paused.status, ((await paused.json()) as { code: string }).code]).toEqual([403, 'forbidden']);
  });

  it('serves readable documentation with its own policy', async () => {
    const page = await fetch(`${url}/docs/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  });

  it('ends a long-poll, a connection without a request, and itself when it is told to stop', async () => {
    const port = await freePort();
    const { url: redisUrl, prefix } = redis.settings;
    const env = { DATABASE_URL: database.url, REDIS_URL: redisUrl, HAULIER_REDIS_PREFIX: prefix };
    const second = start({ ...env, HAULIER_PORT: String(port) });
    const base = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${base}/readyz`)).ok, { what: 'the second API is ready', timeoutMs: 45_000 });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ files: [{ path: 'a', sha256: 'a'.repeat(64) }] });
    const made = await fetch(`${base}/api/downloads`, { method: 'POST', headers, body });
    const location = made.headers.get('location')!;
    await until(
      async () =>
        ((await (await fetch(base + location, { headers })).json()) as { reason: string }).reason === 'queued',
      { what: 'it is queued' },
    );
    const waiting = fetch(`${base}${location}?wait=60s`, { headers });
    await until(async () => (await fetch(`${base}/livez`)).ok, { what: 'another answer' });
    const preconnected = connect(port, '127.0.0.1');
    await once(preconnected, 'connect');
    expect(await expectWithin(2_000, () => end(second))).toBe(0);
    expect((await waiting).status).toBe(200);
    preconnected.destroy();
  }, 60_000);

  it('only migrates when asked to, without Redis', async () => {
    const migrating = start({ DATABASE_URL: database.url }, ['--migrate-only']);
    const [code] = (await once(migrating.child, 'exit')) as [number];
    expect(code).toBe(0);
  });

  it('names every bad variable and exits with 1', async () => {
    const bad = start({ HAULIER_PORT: 'seven' });
    const [code] = (await once(bad.child, 'exit')) as [number];
    expect(code).toBe(1);
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'HAULIER_PORT']) expect(bad.output()).toContain(name);
  });
});
