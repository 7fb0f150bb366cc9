import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { Problem } from '#contracts/http/problem';
import { listTokens, revokeToken, validToken } from '#database/access/token-queries';
import { createAuthenticator, hashOfToken, pepperOf } from '../../../../apps/api/access/authenticate.ts';
import { ensureAdminToken } from '../../../../apps/api/access/first-admin-token.ts';
import { startApp } from '../start-app.ts';
import type { TestApp } from '../start-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startApp();
});
afterAll(() => api.stop());

interface Operation {
  readonly operationId?: string;
  readonly security?: readonly Record<string, unknown>[];
  readonly responses: Record<string, { content?: Record<string, unknown> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

/** Routes to sign in and out. */
const OPEN = [
  'DELETE /api/session',
  'GET /api/session/state',
  'POST /api/session',
  'POST /api/session/code',
  'POST /api/setup',
];

const operationsOf = (document: Document) =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

const openApi = async (): Promise<Document> =>
  (await api.call('GET', '/openapi.json', undefined, { authorization: '' })).json();

describe('who may do what', () => {
  it('asks for a token at every documented route under /api', async () => {
    for (const { path, method } of operationsOf(await openApi())) {
      if (!path.startsWith('/api/') || OPEN.includes(`${method} ${path}`)) continue;
      const url = path.replace('{id}', '00000000-0000-4000-8000-000000000000').replace(/\{\w+\}/g, 'x');
      const response = await api.call(method, url, method === 'POST' ? {} : undefined, { authorization: '' });
      expect([method, url, response.statusCode]).toEqual([method, url, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="haulier"');
      expect(response.json<Problem>().code).toBe('unauthenticated');
    }
  });

  it.each([
    ['an unknown token', 'Bearer haulier_pat_000000000000000000000000000000000000'],
    ['Basic, which is for pages', `Basic ${Buffer.from('admin:x').toString('base64')}`],
    ['no scheme at all', 'secret'],
  ])('refuses %s', async (_what, authorization) => {
    expect((await api.call('GET', '/api/hosts', undefined, { authorization })).statusCode).toBe(401);
  });

  it('K23 refuses a reading token that wants to cancel, and a writing one that wants to reset', async () => {
    const cancel = '/api/downloads/00000000-0000-4000-8000-000000000000/cancel';
    const reading = { authorization: `Bearer ${api.tokens.read}` };
    expect((await api.call('POST', cancel, undefined, reading)).statusCode).toBe(403);
    expect((await api.call('GET', '/api/downloads', undefined, reading)).statusCode).toBe(200);
    const reset = await api.call('POST', '/api/metrics/downloads/reset');
    expect([reset.statusCode, reset.json<Problem>().code]).toEqual([403, 'forbidden']);
    const admin = { authorization: `Bearer ${api.tokens.admin}` };
    expect((await api.call('POST', '/api/metrics/downloads/reset', undefined, admin)).statusCode).toBe(200);
  });

  it('notes when a token was used, and forgets a revoked one within seconds', async () => {
    const { database } = api.deps;
    let clock = Date.now();
    const authenticator = createAuthenticator(database, () => new Date(clock));
    expect(await authenticator.authenticate(api.tokens.read)).toMatchObject({ name: 'test read', scopes: ['read'] });
    const row = (await listTokens(database)).find((token) => token.name === 'test read')!;
    expect(row.lastUsedAt).not.toBeNull();
    await revokeToken(database, row.id, new Date());
    clock += 6000;
    expect(await authenticator.authenticate(api.tokens.read)).toBeUndefined();
  });

  it('keeps neither a token nor an unkeyed hash of it', async () => {
    const { rows } = await api.deps.database.pool.query<{ row: string }>('SELECT t::text AS row FROM api_tokens t');
    expect(rows.some(({ row }) => row.includes(api.tokens.admin))).toBe(false);
    const pepper = await pepperOf(api.deps.database, new Date());
    expect(await validToken(api.deps.database, hashOfToken(api.tokens.admin, pepper), new Date())).toBeDefined();
  });
});

describe('the first admin token', () => {
  it('is made once where none is given, and never shown again', async () => {
    const other = await startApp();
    try {
      await other.deps.database.pool.query('DELETE FROM api_tokens');
      const shown = await Promise.all(
        [1, 2, 3].map(() => ensureAdminToken(other.deps.database, undefined, new Date())),
      );
      expect(shown.filter((token) => token !== undefined)).toHaveLength(1);
      expect(await ensureAdminToken(other.deps.database, undefined, new Date())).toBeUndefined();
    } finally {
      await other.stop();
    }
  });

  it('is the given one, which replaces the one given before', async () => {
    const { database, now } = api.deps;
    const one = 'the-first-secret-of-the-operator';
    const two = 'the-second-secret-of-the-operator';
    const authenticator = createAuthenticator(database, now);
    await Promise.all([ensureAdminToken(database, one, now()), ensureAdminToken(database, one, now())]);
    await ensureAdminToken(database, two, now());
    expect(await authenticator.authenticate(one)).toBeUndefined();
    expect((await authenticator.authenticate(two))?.scopes).toEqual(['admin']);
  });
});

describe('the shape of answers', () => {
  it('describes itself as OpenAPI 3.1 with an operationId and problems for every route', async () => {
    const document = await openApi();
    expect(document.openapi).toBe('3.1.0');
    const operations = operationsOf(document);
    expect(operations.length).toBeGreaterThan(18);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
    const open = operations.filter(({ operation }) => operation.security?.length === 0);
    expect(open.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(OPEN);
    for (const { path, operation } of operations.filter((one) => one.path.startsWith('/api/') && !open.includes(one))) {
      expect([path, operation.security?.[0]]).toEqual([path, { token: [] }]);
      expect(Object.keys(operation.responses['401']!.content!)).toEqual(['application/problem+json']);
    }
    expect(JSON.stringify(document)).not.toContain('"$schema"');
  });

  it('is a valid document by the official schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate({ ...(await openApi()) })).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    const broken = { ...(await openApi()), paths: { '/api/x': { get: { responses: { ok: {} } } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it('resolves every reference of the OpenAPI document', async () => {
    const document = await openApi();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    expect(references.map(([, reference]) => reference)).toContain('components/schemas/LiveEvent');
    for (const [, reference] of references) {
      const found = reference!
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
      expect([reference, typeof found]).toEqual([reference, 'object']);
    }
  });

  it('answers an unknown path, a wrong body and no body with problems', async () => {
    const unknown = await api.call('GET', '/api/nothing');
    expect([unknown.statusCode, unknown.json<Problem>().code]).toEqual([404, 'not-found']);
    const text = await api.call('POST', '/api/downloads', 'files=1', { 'content-type': 'text/plain' });
    expect([text.statusCode, text.json<Problem>().code]).toEqual([415, 'unsupported-media-type']);
    const broken = await api.call('POST', '/api/downloads', '{"files":', { 'content-type': 'application/json' });
    expect([broken.statusCode, broken.json<Problem>().code]).toEqual([400, 'invalid-request']);
    const withoutToken = await api.call('POST', '/api/downloads');
    expect([withoutToken.statusCode, withoutToken.json<Problem>().code]).toEqual([400, 'invalid-request']);
    const large = await api.call('POST', '/api/downloads', { files: [], padding: 'x'.repeat(5_000_000) });
    expect([large.statusCode, large.json<Problem>().code]).toEqual([413, 'payload-too-large']);
  });

  it('sends headers that allow nothing to a browser', async () => {
    const { headers } = await api.call('GET', '/api/hosts');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('explains a problem type', async () => {
    expect((await api.call('GET', '/problems/illegal-move')).json()).toMatchObject({ status: 409 });
    expect((await api.call('GET', '/problems/toString')).statusCode).toBe(404);
  });

  it('is alive, and ready when what it needs is there', async () => {
    expect((await api.call('GET', '/livez', undefined, { authorization: '' })).json()).toEqual({ status: 'alive' });
    const ready = await api.call('GET', '/readyz', undefined, { authorization: '' });
    expect([ready.statusCode, ready.json<{ status: string }>().status]).toEqual([200, 'ready']);
  });
});
