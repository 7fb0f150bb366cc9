import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { Problem } from '#contracts/http/problem';
import { ROLES, type Role } from '#core/scopes';
import type { UserMe } from '#contracts/http/access/session';
import { startApp, type Answer, type TestApp } from '../start-app.ts';
import { openBrowser, type Browser } from './browser.ts';

const PASSWORD = 'correct horse battery';
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly isOpen: boolean;
}

let api: TestApp;
let operations: Operation[];
const browsers = {} as Record<Role, Browser>;

beforeAll(async () => {
  api = await startApp();
  const admin = { authorization: `Bearer ${api.tokens.admin}` };
  for (const role of ROLES) {
    const made = await api.call('POST', '/api/users', { name: `the-${role}`, role, password: PASSWORD }, admin);
    expect(made.statusCode).toBe(201);
    browsers[role] = openBrowser(api);
    await browsers[role].send('POST', '/api/session', { user: `the-${role}`, password: PASSWORD });
  }
  const document = (await api.call('GET', '/openapi.json')).json<{
    paths: Record<string, Record<string, { security?: unknown[] }>>;
  }>();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replace('{id}', UNKNOWN_ID).replace(/\{\w+\}/g, 'x'),
      isOpen: security?.length === 0,
    })),
  );
});
afterAll(() => api.stop());

const ask = (role: Role, { method, path }: Pick<Operation, 'method' | 'path'>, body?: object): Promise<Answer> =>
  browsers[role].send(method, path, method === 'GET' || method === 'DELETE' ? undefined : (body ?? {}));

const isForbidden = (answer: Answer): boolean =>
  answer.statusCode === 403 && answer.json<Problem>().code === 'forbidden';

/** Acts of a user on the own access. */
const OWN = ['/api/me/password', `/api/me/sessions/${UNKNOWN_ID}`];
/** With the tokens of hosts alone: to a user they are as unknown as a wrong token. */
const OF_HOSTS = /^\/api\/(workers\/|swarm\/announce$)/;
/** What a visitor sends to sign in and out. */
const OPEN = ['POST /api/session', 'DELETE /api/session', 'POST /api/session/code', 'POST /api/setup'];
const isWrite = ({ method, path, isOpen }: Operation): boolean =>
  method !== 'GET' && path.startsWith('/api/') && !isOpen && !OWN.includes(path) && !OF_HOSTS.test(path);

describe('roles', () => {
  it.each(ROLES)('say what the %s may do, in the words of the scopes of tokens', async (role) => {
    const me = (await browsers[role].send('GET', '/api/me')).json<UserMe>();
    const scopes = { viewer: ['read'], operator: ['write'], admin: ['admin'] }[role];
    expect(me).toMatchObject({ kind: 'user', name: `the-${role}`, role, scopes, hasPassword: true });
  });

  it('a viewer reads everything but tokens, users and the audit, and can act nowhere', async () => {
    const writes = operations.filter(isWrite);
    expect(writes.length).toBeGreaterThan(25);
    for (const write of writes) {
      const answer = await ask('viewer', write);
      expect([write.method, write.path, isForbidden(answer)]).toEqual([write.method, write.path, true]);
    }
    const others = operations.filter((one) => one.method !== 'GET' && !isWrite(one) && !OWN.includes(one.path));
    const ofHosts = others.filter(({ path }) => OF_HOSTS.test(path));
    expect(others.filter((one) => !ofHosts.includes(one)).map(({ method, path }) => `${method} ${path}`)).toEqual(OPEN);
    expect(ofHosts.length).toBeGreaterThan(0);
    for (const one of ofHosts) expect([one.path, (await ask('viewer', one)).statusCode]).toEqual([one.path, 401]);
    for (const read of ['downloads', 'rollouts', 'hosts', 'models', 'status', 'metrics/summary'])
      expect([read, (await browsers.viewer.send('GET', `/api/${read}`)).statusCode]).toEqual([read, 200]);
    for (const secret of ['tokens', 'users', 'audit', 'webhooks'])
      expect([secret, (await browsers.viewer.send('GET', `/api/${secret}`)).statusCode]).toEqual([secret, 403]);
  });

  it('an operator acts, and gives no access: neither tokens nor users', async () => {
    for (const write of operations.filter(isWrite)) {
      const isAccess = /^\/api\/(tokens|users|enrolment-tokens)/.test(write.path);
      if (isAccess) expect([write.path, isForbidden(await ask('operator', write))]).toEqual([write.path, true]);
    }
    const file = { path: 'a.bin', sizeBytes: 1, sha256: 'a'.repeat(64) };
    expect((await ask('operator', { method: 'POST', path: '/api/downloads' }, { files: [file] })).statusCode).toBe(202);
    expect((await browsers.operator.send('GET', '/api/users')).statusCode).toBe(403);
  });

  it('an admin may do all of it', async () => {
    for (const write of operations.filter(isWrite))
      expect([write.path, isForbidden(await ask('admin', write))]).toEqual([write.path, false]);
  });

  it('audits each act with the user as actor, also those that were refused', async () => {
    const admin = { authorization: `Bearer ${api.tokens.admin}` };
    for (const role of ROLES) {
      const me = (await browsers[role].send('GET', '/api/me')).json<UserMe>();
      const path = `/api/audit?limit=500&userId=${me.id}`;
      const { entries } = (await api.call('GET', path, undefined, admin)).json<AuditList>();
      expect(new Set(entries.map(({ actor, tokenId }) => `${actor} ${tokenId}`))).toEqual(
        new Set([`the-${role} null`]),
      );
      const found = entries.filter(({ action }) => action === 'createDownloads');
      const results = { viewer: ['forbidden'], operator: ['done'], admin: ['invalid-request'] }[role];
      expect(found.map(({ result }) => result)).toEqual(results);
      expect(entries.at(-1)).toMatchObject({ action: 'signIn', ip: '127.0.0.1', result: 'done' });
      expect(entries.length).toBe(role === 'operator' ? entries.length : operations.filter(isWrite).length + 1);
    }
    const all = await api.call('GET', '/api/audit?limit=500', undefined, admin);
    expect(all.body).not.toContain(PASSWORD);
  });

  it('a token is no user, and cannot change a password', async () => {
    const answer = await api.call('POST', '/api/me/password', { password: PASSWORD });
    expect(isForbidden(answer)).toBe(true);
  });
});
