import { beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionState, SignedIn, UserMe } from '#contracts/http/access/session';
import type { UserList } from '#contracts/http/access/users';
import { SECOND_MS } from '#core/units';
import { ensureSetupCode } from '../../../../apps/api/access/users/setup-code.ts';
import { startApp, type Answer, type TestApp } from '../start-app.ts';
import { codeOf, PASSWORD, startApiWithUsers } from './api-with-users.ts';
import { openBrowser, rawRequest } from './browser.ts';

const users = startApiWithUsers();
const { later, asAdmin, makeUser, signedIn } = users;
let api: TestApp;
beforeAll(() => {
  api = users.api();
});

describe('the first admin', () => {
  const state = async () => (await openBrowser(api).send('GET', '/api/session/state')).json<SessionState>();
  const setupCode = async (): Promise<string> => (await ensureSetupCode(api.deps.database, api.deps.now()))!;

  it('T44 is signed in once by the code of the start, and keeps access by setting a password', async () => {
    expect(await state()).toEqual({ signedIn: false, needsSetup: true });
    const codes = [await setupCode(), await setupCode()];
    const wrong = await openBrowser(api).send('POST', '/api/session/code', { code: 'wrong' });
    expect(codeOf(wrong)).toEqual([401, 'wrong-code']);
    const browsers = codes.concat(codes).map(() => openBrowser(api));
    const answers = await Promise.all(
      browsers.map((browser, index) => browser.send('POST', '/api/session/code', { code: codes[index % 2] })),
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 401, 401, 401]);
    const at = answers.findIndex(({ statusCode }) => statusCode === 201);
    expect(answers[at]!.json<SignedIn>()).toMatchObject({ name: 'admin', role: 'admin', hasPassword: false });
    const browser = browsers[at]!;
    expect((await browser.send('GET', '/api/session/state')).json()).toEqual({ signedIn: true, needsSetup: true });
    expect((await browser.send('POST', '/api/me/password', { password: 'short' })).statusCode).toBe(400);
    const changed = await browser.send('POST', '/api/me/password', { password: PASSWORD });
    expect([changed.statusCode, changed.json<UserMe>().hasPassword]).toEqual([200, true]);
    expect(await state()).toEqual({ signedIn: false, needsSetup: false });
    expect(await ensureSetupCode(api.deps.database, api.deps.now())).toBeUndefined();
    await signedIn('admin');
  });

  it('T45 is the last one: it can be neither demoted nor disabled nor deleted', async () => {
    const { name } = (await api.call('GET', '/api/users', undefined, asAdmin()))
      .json<UserList>()
      .users.find(({ role }) => role === 'admin')!;
    for (const body of [{ role: 'viewer' }, { disabled: true }])
      expect(codeOf(await api.call('PATCH', `/api/users/${name}`, body, asAdmin()))).toEqual([409, 'illegal-move']);
    expect(codeOf(await api.call('DELETE', `/api/users/${name}`, undefined, asAdmin()))).toEqual([409, 'illegal-move']);
  });

  it('may be made with a name and a password instead; a code that is a day old is worth nothing', async () => {
    await api.deps.database.pool.query('DELETE FROM users');
    const old = await setupCode();
    later(86_400_000);
    const body = { name: 'Alice', password: PASSWORD };
    expect(codeOf(await openBrowser(api).send('POST', '/api/setup', { ...body, code: old }))).toEqual([
      401,
      'wrong-code',
    ]);
    const browser = openBrowser(api);
    const made = await browser.send('POST', '/api/setup', { ...body, code: await setupCode() });
    expect([made.statusCode, made.json<SignedIn>().name]).toEqual([201, 'alice']);
    expect((await browser.send('GET', '/api/me')).json<UserMe>()).toMatchObject({ kind: 'user', scopes: ['admin'] });
  });
});

describe('signing in', () => {
  beforeAll(async () => {
    await makeUser('vera', 'viewer');
  });

  it('gives a session in a cookie that no script reads and no other site sends, and keeps only hashes', async () => {
    const browser = openBrowser(api);
    const answer = await browser.send('POST', '/api/session', { user: 'VERA', password: PASSWORD });
    const [cookie] = answer.headers.getSetCookie();
    const port = new URL(api.url).port;
    expect(cookie).toMatch(
      new RegExp(`^haulier-${port}=[A-Za-z0-9_-]{43}; Path=/; Expires=.+; HttpOnly; SameSite=Strict$`),
    );
    expect(answer.body).not.toContain(browser.cookie()!.split('=')[1]);
    const { rows } = await api.deps.database.pool.query<{ text: string }>(
      'SELECT row_to_json(s)::text || row_to_json(u)::text AS text FROM sessions s JOIN users u ON u.id = s.user_id',
    );
    expect(rows.some(({ text }) => text.includes(browser.cookie()!.split('=')[1]!) || text.includes(PASSWORD))).toBe(
      false,
    );
    expect(rows.every(({ text }) => /\$argon2id\$v=19\$m=19456,t=2,p=1\$/.test(text))).toBe(true);
  });

  it('gives a cookie for this host and TLS alone where a proxy ends TLS', async () => {
    for (const headers of [{ origin: 'https://haulier.example' }, { 'x-forwarded-proto': 'https' }]) {
      const answer = await openBrowser(api).send('POST', '/api/session', { user: 'vera', password: PASSWORD }, headers);
      expect(answer.headers.getSetCookie()[0]).toMatch(
        /^__Host-haulier=\S+; Path=\/; .*HttpOnly; Secure; SameSite=Strict$/,
      );
    }
  });

  it('T42 refuses where a password would cross a network in the open, unless the operator allows it', async () => {
    const far = { host: 'haulier.lan:7420', origin: 'http://haulier.lan:7420' };
    const body = { user: 'vera', password: PASSWORD };
    const refused = await rawRequest(api.url, 'POST', '/api/session', body, far);
    expect(refused).toMatchObject({ status: 403, code: 'insecure-connection' });
    const open = await startApp({ sessionLimits: { withoutTls: true } });
    try {
      const admin = { authorization: `Bearer ${open.tokens.admin}` };
      await open.call('POST', '/api/users', { name: 'vera', role: 'viewer', password: PASSWORD }, admin);
      const allowed = await rawRequest(open.url, 'POST', '/api/session', body, far);
      expect(allowed).toMatchObject({ status: 201, cookie: expect.stringMatching(/^haulier-7420=/) });
    } finally {
      await open.stop();
    }
  });

  it('T40 says the same of a wrong name, a wrong password and a disabled user, and slows each of them down alike', async () => {
    await makeUser('dora', 'viewer');
    await api.call('PATCH', '/api/users/dora', { disabled: true }, asAdmin());
    const seen: Record<string, unknown[]> = {};
    for (const [user, password] of [
      ['vera', 'wrong password'],
      ['nobody', 'wrong password'],
      ['dora', PASSWORD],
    ] as const) {
      const answers: Answer[] = [];
      for (let n = 0; n < 7; n += 1)
        answers.push(await openBrowser(api).send('POST', '/api/session', { user, password }));
      seen[user] = answers.map((answer) => [...codeOf(answer), answer.headers.get('retry-after')]);
    }
    expect(seen['vera']!.slice(0, 5)).toEqual(Array(5).fill([401, 'wrong-credentials', null]));
    expect(seen['vera']!.at(-1)).toEqual([429, 'too-many-requests', '1']);
    expect(seen['nobody']).toEqual(seen['vera']);
    expect(seen['dora']).toEqual(seen['vera']);
  });

  it('T40 makes an account wait longer with each failure, also for the right password, and forgets it all at a success', async () => {
    const attempt = (password: string) => openBrowser(api).send('POST', '/api/session', { user: 'vera', password });
    for (let failures = 0; failures < 5; failures += 1) expect((await attempt('wrong password')).statusCode).toBe(401);
    const waits: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const blocked = await attempt(PASSWORD);
      expect(blocked.statusCode).toBe(429);
      waits.push(Number(blocked.headers.get('retry-after')));
      later(waits.at(-1)! * SECOND_MS);
      expect((await attempt('wrong password')).statusCode).toBe(401);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    later(300 * SECOND_MS);
    expect((await attempt(PASSWORD)).statusCode).toBe(201);
    expect((await attempt('wrong password')).statusCode).toBe(401);
    expect((await attempt(PASSWORD)).statusCode).toBe(201);
  });

  it('T40 counts guesses that are sent at once, and those of one address over many accounts', async () => {
    const guess = (user: string) => openBrowser(api).send('POST', '/api/session', { user, password: 'wrong password' });
    const atOnce = await Promise.all(Array.from({ length: 20 }, () => guess('vera')));
    expect(atOnce.filter(({ statusCode }) => statusCode === 401).length).toBeLessThanOrEqual(5);
    await api.deps.database.pool.query('DELETE FROM sign_in_failures');
    const many: number[] = [];
    for (let n = 0; n < 32; n += 1) many.push((await guess(`user-${n}`)).statusCode);
    expect([many[0], many.at(-1)]).toEqual([401, 429]);
  });
});
