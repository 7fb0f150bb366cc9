import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import type { NewToken, Token, TokenList } from '#contracts/http/access/tokens';
import { DAY_MS } from '#core/units';
import { ensureAdminToken } from '../../../../apps/api/access/first-admin-token.ts';
import { startApp, type Answer, type TestApp } from '../start-app.ts';
import { reportHost } from '../host-report.ts';

const SHA256 = 'a'.repeat(64);

describe('tokens', () => {
  let api: TestApp;
  const clock = { skewMs: 0 };
  beforeAll(async () => {
    api = await startApp({ now: () => new Date(Date.now() + clock.skewMs) });
    for (const name of ['whisper-base', 'whisper-tiny', 'llama'])
      await api.call('POST', '/api/models', {
        name,
        version: '1',
        files: [{ path: 'a.bin', sizeBytes: 9, sha256: SHA256 }],
      });
    await report('gpu-1', { gpu: 'true' });
    await report('gpu-2', { gpu: 'true' });
    await report('cpu-1', {});
  });
  afterAll(() => api.stop());

  const report = (host: string, labels: Record<string, string>) => reportHost(api, host, labels);
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const admin = () => as(api.tokens.admin);
  const create = (body: object) => api.call('POST', '/api/tokens', body, admin());
  const made = async (body: object): Promise<NewToken> => {
    const answer = await create({ name: 'made', ...body });
    expect([answer.statusCode, answer.body.slice(0, 300)]).toEqual([201, expect.anything()]);
    return answer.json<NewToken>();
  };
  const listed = async (query = ''): Promise<Token[]> =>
    (await api.call('GET', `/api/tokens?limit=500${query}`, undefined, admin())).json<TokenList>().tokens;
  const detailOf = (answer: Answer): string => answer.json<Problem>().detail;

  it('T01 are made once shown, listed without their text, and tell what they may do', async () => {
    const { token, ...shown } = await made({ name: 'deploy', kind: 'ci', scopes: ['write'], expiresIn: '90d' });
    expect(token).toMatch(/^haulier_ci_[0-9A-Za-z]{36}$/);
    expect(shown).toMatchObject({ kind: 'ci', last4: token.slice(-4), state: 'active', createdBy: 'test admin' });
    expect(Date.parse(shown.expiresAt!) - Date.parse(shown.createdAt)).toBe(90 * DAY_MS);
    expect(await listed()).toContainEqual(shown);
    const list = await api.call('GET', '/api/tokens', undefined, admin());
    expect(list.body).not.toContain(token);
    const me = (await api.call('GET', '/api/me', undefined, as(token))).json<Token>();
    expect(me).toMatchObject({ id: shown.id, name: 'deploy', scopes: ['write'], lastUsedIp: '127.0.0.1' });
    const { rows } = await api.deps.database.pool.query<{ row: string }>('SELECT t::text AS row FROM api_tokens t');
    expect(rows.some(({ row }) => row.includes(token))).toBe(false);
  });

  it('T01 of one part of the API do nothing in another', async () => {
    const { token } = await made({ scopes: ['rollouts:write', 'models:read'] });
    const ask = (method: string, path: string) => api.call(method, path, method === 'POST' ? {} : undefined, as(token));
    expect((await ask('GET', '/api/rollouts')).statusCode).toBe(200);
    expect((await ask('GET', '/api/models')).statusCode).toBe(200);
    expect((await ask('POST', '/api/rollouts')).statusCode).toBe(400);
    for (const [method, path] of [
      ['POST', '/api/models'],
      ['GET', '/api/hosts'],
      ['POST', '/api/downloads'],
      ['GET', '/api/status'],
      ['GET', '/metrics'],
      ['GET', '/api/tokens'],
      ['GET', '/api/audit'],
    ] as const)
      expect([path, (await ask(method, path)).statusCode]).toEqual([path, 403]);
    expect(detailOf(await ask('GET', '/api/hosts'))).toBe(
      'this needs a token with the scope "read" or "hosts:read" and "made" has: rollouts:write, models:read',
    );
  });

  it('T01 are refused at once when they are revoked, and when they expire; both are listed as what they are', async () => {
    const revoked = await made({ name: 'revoked', scopes: ['read'] });
    expect((await api.call('GET', '/api/hosts', undefined, as(revoked.token))).statusCode).toBe(200);
    const revoke = () => api.call('DELETE', `/api/tokens/${revoked.id}`, undefined, admin());
    expect((await revoke()).json<Token>().state).toBe('revoked');
    expect((await revoke()).statusCode).toBe(200);
    expect((await api.call('GET', '/api/hosts', undefined, as(revoked.token))).statusCode).toBe(401);
    const short = await made({ name: 'short', scopes: ['read'], expiresIn: '1m' });
    expect((await api.call('GET', '/api/me', undefined, as(short.token))).statusCode).toBe(200);
    clock.skewMs += 60_001;
    expect((await api.call('GET', '/api/me', undefined, as(short.token))).statusCode).toBe(401);
    const names = async (query: string) => (await listed(query)).map(({ name }) => name);
    expect(await names('')).not.toContain('short');
    expect(await names('&state=expired')).toContain('short');
    expect(await names('&state=revoked')).toContain('revoked');
    expect(await names('&state=all')).toEqual(expect.arrayContaining(['short', 'revoked', 'test admin']));
  });

  it('are listed page by page, each once', async () => {
    for (const name of ['p1', 'p2', 'p3']) await made({ name, scopes: ['read'] });
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const answer = await api.call('GET', `/api/tokens?limit=2${cursor}`, undefined, admin());
      const page = answer.json<TokenList>();
      seen.push(...page.tokens.map(({ id }) => id));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual((await listed()).map(({ id }) => id));
  });

  it('T03 keep the last admin token, also when two are revoked at once, and count no expired one', async () => {
    const other = await startApp();
    try {
      const bearer = as(other.tokens.admin);
      const second = (
        await other.call('POST', '/api/tokens', { name: 'second', scopes: ['admin'] }, bearer)
      ).json<NewToken>();
      const all = (await other.call('GET', '/api/tokens', undefined, bearer)).json<TokenList>().tokens;
      const first = all.find(({ name }) => name === 'test admin')!;
      const both = await Promise.all(
        [first.id, second.id].map((id) => other.call('DELETE', `/api/tokens/${id}`, undefined, bearer)),
      );
      expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409]);
      const refused = both.find(({ statusCode }) => statusCode === 409)!;
      expect(refused.json<Problem>().detail).toContain('is the last admin token: make another one first');
      await other.deps.database.pool.query(`UPDATE api_tokens SET expires_at = now() - interval '1 s'`);
      expect(await ensureAdminToken(other.deps.database, undefined, new Date())).toMatch(/^haulier_pat_/);
    } finally {
      await other.stop();
    }
  });

  it.each([
    ['no scope', { scopes: [] }, '/scopes', 'at least one scope'],
    ['an unknown scope', { scopes: ['wirte'] }, '/scopes/0', 'a scope is one of read, write, admin'],
    ['an admin with limits', { scopes: ['admin'], models: ['x'] }, '/scopes', 'give write instead'],
    ['a selector that cannot be read', { scopes: ['write'], selector: 'a b' }, '/selector', 'is no condition'],
    ['a pattern with a slash', { scopes: ['write'], models: ['a/b'] }, '/models/0', 'such as whisper-*'],
    ['a life of a second', { scopes: ['write'], expiresIn: '1s' }, '/expiresIn', 'lives for 1m to 3650d'],
  ])('refuse %s', async (_what, body, pointer, detail) => {
    const answer = await create({ name: 'x', ...body });
    expect(answer.statusCode).toBe(400);
    expect(answer.json<Problem>().errors).toContainEqual(
      expect.objectContaining({ pointer, detail: expect.stringContaining(detail) }),
    );
  });

  describe('that may deploy whisper-* to gpu=true only', () => {
    let limited: Record<string, string>;
    beforeAll(async () => {
      const body = { name: 'whisper CI', kind: 'ci', scopes: ['write'], models: ['whisper-*'], selector: 'gpu=true' };
      limited = as((await made(body)).token);
    });
    const post = (path: string, body: object) => api.call('POST', path, body, limited);

    it('T02 do that', async () => {
      const download = await post('/api/downloads', { model: 'whisper-base', hosts: ['gpu-1', 'gpu-2'] });
      expect(download.statusCode).toBe(202);
      const rollout = await post('/api/rollouts', { models: ['whisper-tiny'], selector: 'gpu=true' });
      expect([rollout.statusCode, rollout.body.slice(0, 200)]).toEqual([201, expect.anything()]);
      const { id } = rollout.json<{ id: string }>();
      expect((await post(`/api/rollouts/${id}/pause`, {})).statusCode).toBe(200);
      expect((await post(`/api/rollouts/${id}/cancel`, {})).statusCode).toBe(200);
      const [one] = download.json<DownloadRequest>().downloads;
      expect((await post(`/api/downloads/${one!.id}/cancel`, {})).statusCode).toBe(200);
      expect(
        (await post('/api/bulk-actions', { action: 'cancel', filter: { model: 'whisper-base' } })).statusCode,
      ).toBe(202);
      expect((await api.call('GET', '/api/hosts', undefined, limited)).statusCode).toBe(200);
    });

    const ONLY = 'the token "whisper CI" may deploy only whisper-* to hosts that match gpu=true: ';

    it.each([
      ['another model', '/api/downloads', { model: 'llama', host: 'gpu-1' }, 'the model "llama" is not one of them'],
      [
        'another host',
        '/api/downloads',
        { model: 'whisper-base', hosts: ['gpu-1', 'cpu-1'] },
        'cpu-1 does not match it',
      ],
      ['an unknown host', '/api/downloads', { model: 'whisper-base', host: 'gpu-9' }, 'gpu-9 does not match it'],
      ['the pool', '/api/downloads', { model: 'whisper-base' }, 'the pool has no labels, so name hosts'],
      [
        'files of its own under the name of the model',
        '/api/downloads',
        { name: 'whisper-base', host: 'gpu-1', files: [{ path: 'a', sha256: SHA256 }] },
        'files that a request describes itself are no model',
      ],
      [
        'a rollout of another model',
        '/api/rollouts',
        { models: ['whisper-tiny', 'llama'], selector: 'gpu=true' },
        '"llama"',
      ],
      [
        'a rollout to other hosts',
        '/api/rollouts',
        { models: ['whisper-tiny'], selector: '' },
        'cpu-1 does not match it',
      ],
      ['a plan for other hosts', '/api/rollouts?dryRun=true', { models: ['whisper-tiny'], selector: '!gpu' }, 'cpu-1'],
      ['cancelling what others have', '/api/bulk-actions', { action: 'cancel', filter: { host: 'cpu-1' } }, 'llama'],
    ])('T02 are refused for %s', async (_what, path, body, why) => {
      await api.call('POST', '/api/downloads', { model: 'llama', host: 'cpu-1' });
      const answer = await post(path, body);
      expect([answer.statusCode, answer.json<Problem>().code]).toEqual([403, 'forbidden']);
      expect(detailOf(answer)).toContain(ONLY);
      expect(detailOf(answer)).toContain(why);
    });

    it.each([
      ['PATCH', '/api/hosts/cpu-1/labels', { gpu: 'true' }],
      ['POST', '/api/models', { name: 'whisper-base', version: '2', files: [{ path: 'a', sha256: SHA256 }] }],
      ['POST', '/api/models/whisper-base/pin', { version: '1' }],
      ['POST', '/api/hosts/gpu-1/drain', {}],
      ['DELETE', '/api/hosts/cpu-1', undefined],
      ['PATCH', '/api/hosts/gpu-1/limits', { workerBytesPerSecond: 1 }],
    ])('T02 cannot widen themselves: %s %s', async (method, path, body) => {
      const answer = await api.call(method, path, body, limited);
      expect([answer.statusCode, detailOf(answer)]).toEqual([403, `${ONLY}this changes more than that`]);
    });

    it('T02 cannot steer a download or a rollout that is outside', async () => {
      const [foreign] = (
        await api.call('POST', '/api/downloads', { model: 'whisper-base', host: 'cpu-1' })
      ).json<DownloadRequest>().downloads;
      for (const action of ['pause', 'cancel', 'resume'])
        expect((await post(`/api/downloads/${foreign!.id}/${action}`, {})).statusCode).toBe(403);
      expect((await post(`/api/downloads/${foreign!.id}/limit`, { bytesPerSecond: 1 })).statusCode).toBe(403);
      const rollout = await api.call('POST', '/api/rollouts', { models: ['whisper-base'], selector: '' });
      const { id } = rollout.json<{ id: string }>();
      for (const action of ['pause', 'cancel', 'resume', 'retry'])
        expect((await post(`/api/rollouts/${id}/${action}`, {})).statusCode).toBe(403);
    });

    it('T02 hold for the hosts that join a dynamic rollout later', async () => {
      const body = { models: ['whisper-tiny'], selector: 'name~gpu-*', dynamic: true };
      const rollout = await post('/api/rollouts', body);
      expect([rollout.statusCode, rollout.json<{ selector: string }>().selector]).toEqual([201, 'name~gpu-*,gpu=true']);
    });
  });
});
