import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CreatedEnrolmentToken, Enrolled, EnrolmentTokenList } from '#contracts/http/access/enrolment';
import type { Problem } from '#contracts/http/problem';
import type { Host } from '#contracts/http/status';
import { DAY_MS, HOUR_MS } from '#core/units';
import { listWorkerUsers } from '#queue/access/worker-users';
import { makeHostKeys } from '#queue/events/batch-signature';
import { startApp, type Answer, type TestApp } from '../start-app.ts';

describe('enrolment of hosts', () => {
  let api: TestApp;
  let nowMs = Date.now();
  beforeAll(async () => {
    api = await startApp({ now: () => new Date(nowMs) });
  });
  afterAll(() => api.stop());

  const asAdmin = () => ({ authorization: `Bearer ${api.tokens.admin}` });
  const { publicKey } = makeHostKeys();

  const makeToken = async (body: object = {}): Promise<CreatedEnrolmentToken> => {
    const answer = await api.call('POST', '/api/enrolment-tokens', body, asAdmin());
    expect([answer.statusCode, answer.body]).toEqual([201, expect.any(String)]);
    return answer.json();
  };
  const enrol = (token: string, host: string, key = publicKey): Promise<Answer> =>
    api.call('POST', '/api/workers/enrol', { host, publicKey: key }, { authorization: `Bearer ${token}` });
  const codeOf = (answer: Answer) => [answer.statusCode, answer.json<Problem>().code];
  const users = () => listWorkerUsers(api.deps.queues.redis, api.deps.prefix);

  it('N43 gives a host what it needs, once for each token', async () => {
    const made = await makeToken();
    expect(made).toMatchObject({ host: null, pool: false, state: 'usable', createdBy: 'test admin' });
    expect(made.token).toMatch(/^haulier_enr_/);
    const answer = await enrol(made.token, 'GPU-1');
    expect(answer.statusCode).toBe(201);
    const enrolled = answer.json<Enrolled>();
    expect(enrolled).toMatchObject({
      ...{ host: 'GPU-1', pool: false, workerToken: expect.stringMatching(/^haulier_wrk_/) },
      redis: { prefix: api.deps.prefix, user: `${api.deps.prefix}:worker:gpu-1` },
    });
    expect(codeOf(await enrol(made.token, 'gpu-2'))).toEqual([401, 'unauthenticated']);
    expect(await users()).toEqual([`${api.deps.prefix}:worker:gpu-1`]);
    const self = await api.call('GET', '/api/workers/me', undefined, {
      authorization: `Bearer ${enrolled.workerToken}`,
    });
    expect(self.json()).toMatchObject({ hostId: enrolled.hostId, host: 'GPU-1', pool: false });
    const host = (await api.call('GET', '/api/hosts/gpu-1')).json<Host>();
    expect(host).toMatchObject({ name: 'GPU-1', enrolment: 'enrolled' });
    const { tokens } = (
      await api.call('GET', '/api/enrolment-tokens', undefined, asAdmin())
    ).json<EnrolmentTokenList>();
    expect(tokens[0]).toMatchObject({ state: 'used', usedBy: 'gpu-1' });
    expect(JSON.stringify(tokens)).not.toContain(made.token);
  });

  it('N43 gives one of two hosts that use a token at once what it needs', async () => {
    const { token } = await makeToken();
    const answers = await Promise.all(['twin-1', 'twin-2'].map((host) => enrol(token, host)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 401]);
    const names = ['twin-1', 'twin-2'].map((host) => `${api.deps.prefix}:worker:${host}`);
    const lucky = names[answers.findIndex(({ statusCode }) => statusCode === 201)];
    expect((await users()).filter((user) => names.includes(user))).toEqual([lucky]);
  });

  it('N43 takes the key of an enrolled host away only for a token of that host alone', async () => {
    const before = (await enrol((await makeToken()).token, 'gpu-3')).json<Enrolled>();
    const anyHost = await makeToken();
    const refused = await enrol(anyHost.token, 'GPU-3', makeHostKeys().publicKey);
    expect(codeOf(refused)).toEqual([409, 'host-enrolled']);
    const withOld = { authorization: `Bearer ${before.workerToken}` };
    expect((await api.call('GET', '/api/workers/me', undefined, withOld)).statusCode).toBe(200);
    expect((await enrol(anyHost.token, 'gpu-4')).statusCode).toBe(201);

    const ofIt = await makeToken({ host: 'gpu-3' });
    expect(codeOf(await enrol(ofIt.token, 'gpu-5'))).toEqual([401, 'unauthenticated']);
    expect((await enrol(ofIt.token, 'gpu-3')).statusCode).toBe(201);
    expect((await api.call('GET', '/api/workers/me', undefined, withOld)).statusCode).toBe(401);
  });

  it('N43 refuses tokens that expired or were revoked, and bad requests by field', async () => {
    const short = await makeToken({ expiresInSeconds: 60 });
    nowMs += HOUR_MS;
    expect(codeOf(await enrol(short.token, 'late'))).toEqual([401, 'unauthenticated']);
    const gone = await makeToken();
    expect((await api.call('DELETE', `/api/enrolment-tokens/${gone.id}`, undefined, asAdmin())).json()).toMatchObject({
      state: 'revoked',
    });
    expect(codeOf(await enrol(gone.token, 'late'))).toEqual([401, 'unauthenticated']);
    for (const [body, pointer] of [
      [{ expiresInSeconds: 59 }, '/expiresInSeconds'],
      [{ expiresInSeconds: (31 * DAY_MS) / 1000 }, '/expiresInSeconds'],
      [{ host: 'a b' }, '/host'],
    ] as const) {
      const refused = await api.call('POST', '/api/enrolment-tokens', body, asAdmin());
      expect([refused.statusCode, refused.json<Problem>().errors?.[0]?.pointer]).toEqual([400, pointer]);
    }
    const { token } = await makeToken();
    expect((await enrol(token, 'gpu-6', 'short')).json<Problem>().errors?.[0]?.detail).toContain('has 32 bytes');
  });

  it('needs an admin token to make tokens and to revoke, and lets tokens of hosts do nothing else', async () => {
    expect((await api.call('POST', '/api/enrolment-tokens', {})).statusCode).toBe(403);
    expect((await api.call('POST', '/api/hosts/gpu-1/revoke')).statusCode).toBe(403);
    const { token } = await makeToken();
    const { workerToken } = (await enrol(token, 'gpu-7')).json<Enrolled>();
    const other = await makeToken();
    for (const one of [workerToken, other.token])
      expect((await api.call('GET', '/api/hosts', undefined, { authorization: `Bearer ${one}` })).statusCode).toBe(401);
    for (const one of [api.tokens.admin, other.token, ''])
      expect(
        (await api.call('GET', '/api/workers/me', undefined, { authorization: one && `Bearer ${one}` })).statusCode,
      ).toBe(401);
  });

  it('N45 revokes a host once and for all, and forgets its user with it', async () => {
    const { token } = await makeToken();
    const { workerToken } = (await enrol(token, 'gpu-8')).json<Enrolled>();
    const revoke = () => api.call('POST', '/api/hosts/gpu-8/revoke', undefined, asAdmin());
    const [first, second] = [await revoke(), await revoke()];
    expect([first.statusCode, second.json()]).toEqual([200, first.json()]);
    expect(await users()).not.toContain(`${api.deps.prefix}:worker:gpu-8`);
    const headers = { authorization: `Bearer ${workerToken}` };
    expect((await api.call('GET', '/api/workers/me', undefined, headers)).statusCode).toBe(401);
    const unknown = await api.call('POST', '/api/hosts/gpu-88/revoke', undefined, asAdmin());
    expect(codeOf(unknown)).toEqual([404, 'unknown-host']);
    expect((await enrol((await makeToken()).token, 'gpu-8')).statusCode).toBe(201);
    nowMs += DAY_MS;
    expect((await api.call('DELETE', '/api/hosts/gpu-8')).statusCode).toBe(200);
    expect(await users()).not.toContain(`${api.deps.prefix}:worker:gpu-8`);
  });
});
