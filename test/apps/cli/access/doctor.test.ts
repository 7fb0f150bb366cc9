import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { packageVersion } from '#os/package-folder';
import { freePort } from '#os/port';
import { doctor } from '../../../../apps/cli/commands/stack/doctor.ts';
import { runCommand } from '../../../helpers/command.ts';

interface Found {
  readonly ok: boolean;
  readonly checks: readonly { readonly check: string; readonly result: string; readonly message: string }[];
}

describe('haulier doctor', () => {
  let server: Server | undefined;
  afterEach(async () => {
    if (server === undefined) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    server = undefined;
  });

  const me = {
    name: 'ci',
    last4: 'abcd',
    scopes: ['write'],
    models: ['whisper-*'],
    selector: 'gpu=true',
    expiresAt: null,
  };
  const answers = (more: Record<string, unknown> = {}, headers: Record<string, string> = {}): RequestListener => {
    const all: Record<string, unknown> = {
      '/livez': { status: 'alive' },
      '/readyz': { status: 'ready', missing: [] },
      '/openapi.json': { info: { version: packageVersion(import.meta.url) } },
      '/api/me': me,
      ...more,
    };
    return (request, response) => {
      const body = all[request.url!];
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body ?? {}));
    };
  };
  const examine = async (listener: RequestListener, env: Record<string, string> = { HAULIER_TOKEN: 'x' }) => {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const end = await runCommand((context) => doctor({ json: true }, context), {
      env: { HAULIER_URL: url, HAULIER_HOME: '/nonexistent/haulier', ...env },
    });
    return { ...end, found: JSON.parse(end.stdout) as Found };
  };
  const resultsOf = ({ checks }: Found) => Object.fromEntries(checks.map(({ check, result }) => [check, result]));
  const messageOf = ({ checks }: Found, name: string) => checks.find(({ check }) => check === name)?.message;

  it('finds everything well, and says what the token may do', async () => {
    const { code, found } = await examine(answers());
    expect([code, found.ok]).toEqual([0, true]);
    expect(resultsOf(found)).toEqual({
      address: 'ok',
      api: 'ok',
      clock: 'ok',
      version: 'ok',
      ready: 'ok',
      token: 'ok',
    });
    expect(messageOf(found, 'token')).toBe('"ci" may write, only whisper-*, to gpu=true');
  });

  it('ends with 6 when the API does not answer, with the reason', async () => {
    const end = await runCommand((context) => doctor({}, context), {
      env: { HAULIER_URL: `http://127.0.0.1:${await freePort()}`, HAULIER_HOME: '/nonexistent/haulier' },
    });
    expect(end.code).toBe(6);
    expect(end.stdout).toMatch(/fail +api +no answer: .*ECONNREFUSED.*start the API with haulier up/);
  });

  it('ends with 1 and names what is wrong: clock, readiness, no token', async () => {
    const late = new Date(Date.now() + 3_600_000).toUTCString();
    const { code, found } = await examine(
      answers({ '/readyz': { status: 'not_ready', missing: ['redis: connection refused'] } }, { date: late }),
      {},
    );
    expect(code).toBe(1);
    expect(resultsOf(found)).toMatchObject({ api: 'ok', clock: 'fail', ready: 'fail', token: 'fail' });
    expect(messageOf(found, 'clock')).toMatch(/^59m 5\ds apart|^1h 00m/);
    expect(messageOf(found, 'ready')).toBe('the API lacks redis: connection refused');
    expect(messageOf(found, 'token')).toContain('haulier login');
  });

  it('warns of a token that expires soon, and of another version', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { code, found } = await examine(
      answers({ '/api/me': { ...me, expiresAt }, '/openapi.json': { info: { version: '99.0.0' } } }),
    );
    expect(code).toBe(0);
    expect(resultsOf(found)).toMatchObject({ version: 'warn', token: 'warn' });
  });

  it('tells another server from the API', async () => {
    const { code, found } = await examine((_request, response) => response.end('<html>'));
    expect(code).toBe(1);
    expect(messageOf(found, 'api')).toContain('another server answers (200)');
  });

  it('warns of plain http to another machine', async () => {
    // Node asks no server at this port.
    const end = await runCommand((context) => doctor({ json: true }, context), {
      env: { HAULIER_URL: 'http://haulier.invalid:6000', HAULIER_HOME: '/nonexistent/haulier' },
    });
    const found = JSON.parse(end.stdout) as Found;
    expect(resultsOf(found)).toEqual({ address: 'warn', api: 'fail' });
  });
});
