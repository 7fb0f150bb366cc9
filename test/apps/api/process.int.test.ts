import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '#os/port';
import type { AuditList } from '#contracts/http/access/audit';
import type { Problem } from '#contracts/http/problem';
import { ROLES, type Role } from '#core/scopes';
import { openBrowser, type Browser } from './access/browser.ts';
import { callAt, type Answer } from './start-app.ts';
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
    await until(async () => (await fetch(`${url}/readyz`)).ok, { what: 'the API is ready' });
    token = await until(() => /haulier_pat_\w+/.exec(api.output())?.[0], { what: 'the first token is printed' });
    basic = { authorization: `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}` };
  });

  afterAll(async () => {
    await end(api);
    await redis.cleanup();
    await database.drop();
  });

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
  });

  it('prints a link that signs an admin in, once', async () => {
    const [, code] = /\/login#code=([\w-]+)\n/.exec(api.output())!;
    const call = callAt(url);
    const browser = openBrowser({ call });
    expect((await browser.send('POST', '/api/session/code', { code })).statusCode).toBe(201);
    expect((await browser.send('GET', '/api/me')).json()).toMatchObject({ name: 'admin', scopes: ['admin'] });
    expect((await openBrowser({ call }).send('POST', '/api/session/code', { code })).statusCode).toBe(401);
  });

  describe('SY4 the queue board', () => {
    const browsers = {} as Record<Role, Browser>;
    beforeAll(async () => {
      const call = callAt(url);
      const admin = { authorization: `Bearer ${token}` };
      const password = 'correct horse battery';
      for (const role of ROLES) {
        await call('POST', '/api/users', { name: `the-${role}`, role, password }, admin);
        browsers[role] = openBrowser({ call });
        const signedIn = await browsers[role].send('POST', '/api/session', { user: `the-${role}`, password });
        expect(signedIn.statusCode).toBe(201);
      }
    });
    const isForbidden = (answer: Answer): boolean =>
      answer.statusCode === 403 && answer.json<Problem>().code === 'forbidden';
    const board = (role: Role, method: string, path: string) => browsers[role].send(method, `/admin/queues${path}`);
    interface Shown {
      readonly queues: { name: string; readOnlyMode: boolean; allowRetries: boolean; isPaused: boolean }[];
    }
    const shown = async (role: Role, query = '') => (await board(role, 'GET', `/api/queues${query}`)).json<Shown>();

    it.each(['/', '/api/queues', '/queue/downloads'])('T46 is closed without a login: %s', async (path) => {
      const answer = await callAt(url)('GET', `/admin/queues${path}`);
      expect([answer.statusCode, answer.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('Basic'),
      ]);
      const page = { accept: 'text/html,application/xhtml+xml' };
      const opened = await callAt(url)('GET', `/admin/queues${path}`, undefined, page);
      const next = encodeURIComponent(`/admin/queues${path}`);
      expect([opened.statusCode, opened.headers.get('location')]).toEqual([303, `/login?next=${next}`]);
    });

    it.each(ROLES)('opens for the %s', async (role) => {
      const page = await browsers[role].send('GET', '/admin/queues/', undefined, { accept: 'text/html' });
      expect([page.statusCode, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'self'; script-src 'self';");
      const { queues } = await shown(role);
      expect(queues.find(({ name }) => name === 'downloads')).toMatchObject({
        readOnlyMode: role !== 'admin',
        allowRetries: role === 'admin',
      });
    });

    it.each(['viewer', 'operator'] as const)('T46 lets the %s change nothing', async (role) => {
      for (const [method, path] of [
        ['PUT', '/api/queues/downloads/pause'],
        ['PUT', '/api/queues/pause'],
        ['PUT', '/api/queues/downloads/empty'],
        ['POST', '/api/queues/downloads/add'],
        ['PUT', '/api/queues/downloads/obliterate'],
      ] as const)
        expect([path, isForbidden(await board(role, method, path))]).toEqual([path, true]);
      expect((await shown('admin')).queues.every(({ isPaused }) => !isPaused)).toBe(true);
    });

    it('T46 lets an admin act, from our own pages alone, and audits each act', async () => {
      const path = '/admin/queues/api/queues/downloads/pause';
      const foreign = await browsers.admin.send('PUT', path, undefined, { 'sec-fetch-site': 'cross-site' });
      expect([foreign.statusCode, foreign.json<Problem>().code]).toEqual([403, 'cross-site']);
      expect((await browsers.admin.send('PUT', path)).statusCode).toBe(200);
      expect((await shown('viewer')).queues.find(({ name }) => name === 'downloads')!.isPaused).toBe(true);
      expect((await board('admin', 'PUT', '/api/queues/downloads/resume')).statusCode).toBe(200);
      const query = '/api/audit?actor=the-admin&target=queues/downloads';
      const { entries } = (await browsers.admin.send('GET', query)).json<AuditList>();
      expect(entries.map(({ action, result }) => [action, result])).toEqual([
        ['PUT /admin/queues/api/queues/:queueName/resume', 'done'],
        ['PUT /admin/queues/api/queues/:queueName/pause', 'done'],
      ]);
      const refused = (
        await browsers.admin.send('GET', '/api/audit?actor=the-viewer&target=queues/')
      ).json<AuditList>();
      expect(refused.entries.map(({ result }) => result)).toEqual(['forbidden', 'forbidden', 'forbidden', 'forbidden']);
    });

    it('opens the queue of a host when it is asked for, and a hundred at most', async () => {
      await database.database.pool.query(
        `INSERT INTO hosts (name, first_seen_at, last_seen_at) SELECT 'far-' || n, now(), now() FROM generate_series(1, 300) n`,
      );
      const names = async (query = '') => (await shown('viewer', query)).queues.map(({ name }) => name);
      expect(await names()).not.toContain('downloads.far-7');
      expect(await names('?activeQueue=downloads.far-7')).toContain('downloads.far-7');
      expect(await names()).toContain('downloads.far-7');
      expect(await names('?activeQueue=downloads.nowhere')).not.toContain('downloads.nowhere');
      for (let n = 10; n < 130; n += 1) await board('viewer', 'GET', `/api/queues/downloads.far-${n}/workers`);
      const left = await names();
      expect(left.filter((name) => name.startsWith('downloads')).length).toBeLessThanOrEqual(100);
      expect(left).toEqual(expect.arrayContaining(['downloads', 'downloads.far-129']));
      expect(left).not.toContain('downloads.far-7');
    });
  });

  it('serves readable documentation with its own policy', async () => {
    const page = await fetch(`${url}/docs/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  });

  it('SY4 lets nothing be changed on a read-only board; ends a long-poll, a connection without a request, and itself when told to', async () => {
    const port = await freePort();
    const { url: redisUrl, prefix } = redis.settings;
    const env = { DATABASE_URL: database.url, REDIS_URL: redisUrl, HAULIER_REDIS_PREFIX: prefix };
    const second = start({ ...env, HAULIER_PORT: String(port), HAULIER_QUEUE_BOARD: 'read-only' });
    const base = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${base}/readyz`)).ok, { what: 'the second API is ready' });
    const paused = await fetch(`${base}/admin/queues/api/queues/downloads/pause`, { method: 'PUT', headers: basic });
    expect([paused.status, ((await paused.json()) as { code: string }).code]).toEqual([403, 'forbidden']);
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
  });

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
