import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import { startApp } from '../../start-app.ts';
import type { Answer, TestApp } from '../../start-app.ts';

let api: TestApp;
let routes: { method: string; path: string }[];
beforeAll(async () => {
  api = await startApp();
  const document = (await api.call('GET', '/openapi.json')).json<{ paths: Record<string, object> }>();
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
  await api.call('POST', '/api/models/whisper/versions', MANIFEST);
  const made = await api.call('POST', '/api/downloads', { model: 'whisper', host: 'gpu-1' });
  known['id'] = made.json<{ downloads: { id: string }[] }>().downloads[0]!.id;
});
afterAll(() => api.stop());

const FILE = {
  path: 'config.json',
  sizeBytes: 2243,
  sha256: 'a'.repeat(64),
  digests: { sha512: 'b'.repeat(128) },
  format: 'gzip',
  unpack: { as: 'gzip', files: [{ path: 'plain.json', sizeBytes: 9000, sha256: 'c'.repeat(64) }] },
  sources: [
    { kind: 'huggingface', repo: 'acme/whisper', revision: 'main', path: 'config.json' },
    { kind: 'mirror', url: 'https://mirror.example/config.json' },
  ],
};
const MANIFEST = {
  ...{ name: 'whisper', type: 'stt', version: '1', files: [FILE], cid: 'bafkqaaa' },
  watch: { huggingface: { revision: 'main' }, ipns: 'models.example.org' },
};
const HOW = { layers: ['ipfs'], strategy: 'ordered', limitBytesPerSecond: 5, recheck: true };

/** A body that each route takes, so that every field is reached. */
const BODIES: Readonly<Record<string, readonly object[]>> = {
  'POST /api/downloads': [
    { model: 'whisper', version: '1', files: ['config.json'], hosts: ['gpu-1'], ...HOW },
    { name: 'inline', files: [FILE], host: 'gpu-1', sources: FILE.sources, ...HOW },
  ],
  'POST /api/downloads/{id}/limit': [{ bytesPerSecond: 5 }],
  'POST /api/models/{name}/versions': [MANIFEST],
  'POST /api/models/{name}/pin': [{ version: '1' }],
  'POST /api/hosts/{name}/verify': [{ model: 'whisper' }],
  'PATCH /api/hosts/{name}/limits': [{ workerBytesPerSecond: 5, sources: { 'gateway.example': 5 } }],
};

/** Values of the parameters that lead to something. */
const known: Record<string, string> = { name: 'whisper', version: '1', cid: 'bafkqaaa', id: '', code: 'not-found' };

const DEEP = 50_000;
/** Long JSON texts: they stand in a few places only. */
const LONG_VALUES = [
  `"${'x'.repeat(100_000)}"`,
  `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`,
  `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
];
/** JSON texts that take the place of any value. */
const ODD_VALUES = ['"a\\u0000b"', '"\\ud800"', 'null', '1e999', '4611686018427387904', '[]', '{"a\\u0000b":1}'];
/** And of the whole and what is in it. */
const MORE_VALUES = [
  '"\\udc00 \\ud83d"',
  '""',
  '-0',
  '-1e300',
  '9007199254740993',
  '0.1',
  'true',
  '{}',
  '{"\\ud800":1}',
];
const EVERY_VALUE = [...ODD_VALUES, ...MORE_VALUES, ...LONG_VALUES];
const ODD_TEXTS = [
  '%00',
  'a%00b',
  '%ED%A0%80',
  '%ff%fe',
  '%zz',
  '%',
  '%F0%9F%98%80',
  'x'.repeat(5000),
  '..%2f..',
  "';--",
  '',
];

/** Every place of a JSON value: paths from the whole (`[]`) to the leaves. */
function placesIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const inner =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, one]) =>
          placesIn(one, [...path, Array.isArray(value) ? Number(key) : key]),
        )
      : [];
  return [path, ...inner];
}

const MARK = '@@odd@@';

function withOdd(body: unknown, path: readonly (string | number)[], odd: string): string {
  const marked = (value: unknown, [key, ...rest]: readonly (string | number)[]): unknown => {
    if (key === undefined) return MARK;
    if (Array.isArray(value)) return value.map((one, index) => (index === key ? marked(one, rest) : one));
    return { ...(value as object), [key]: marked((value as Record<string, unknown>)[key], rest) };
  };
  return JSON.stringify(marked(body, path)).replace(JSON.stringify(MARK), odd);
}

const at = (path: string, values: Record<string, string> = known): string =>
  path.replace(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? 'x');

/** What a client did wrong is never told as a mistake of ours. */
function expectNoFault(answer: Answer, what: string): void {
  if (answer.statusCode < 400) return;
  const problem = answer.json<Problem>();
  expect([what.slice(0, 300), answer.statusCode, problem.detail]).toEqual([
    what.slice(0, 300),
    expect.toSatisfy((status: number) => status < 500),
    expect.any(String),
  ]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
}

expect.extend({
  toSatisfy: (value: number, holds: (value: number) => boolean) => ({
    pass: holds(value),
    message: () => `${value} is another status`,
  }),
});

declare module '@jest/expect' {
  interface AsymmetricMatchers {
    toSatisfy(holds: (value: number) => boolean): void;
  }
}

describe('odd requests get an answer that says what is wrong with them', () => {
  it('K30 odd values in each field of the body', async () => {
    for (const { method, path } of routes) {
      for (const body of BODIES[`${method} ${path}`] ?? []) {
        expectNoFault(await api.call(method, at(path), body), `${method} ${path}`);
        for (const place of placesIn(body))
          for (const odd of place.length < 2 ? EVERY_VALUE : ODD_VALUES) {
            const sent = withOdd(body, place, odd);
            const answer = await api.call(method, at(path), sent, { 'content-type': 'application/json' });
            expectNoFault(answer, `${method} ${path} with ${odd.slice(0, 40)} at /${place.join('/')}`);
          }
      }
    }
  });

  it('K30 odd bodies at the other routes', async () => {
    for (const { method, path } of routes) {
      if (method === 'GET' || BODIES[`${method} ${path}`] !== undefined) continue;
      for (const odd of EVERY_VALUE) {
        const sent = await api.call(method, at(path), odd, { 'content-type': 'application/json' });
        expectNoFault(sent, `${method} ${path} with ${odd.slice(0, 40)}`);
      }
    }
  });

  it('K30 odd values in the path and in the query', async () => {
    const queries = [
      'wait',
      'until',
      'after',
      'status',
      'cid',
      'model',
      'version',
      'host',
      'id',
      'cursor',
      'limit',
      'type',
      'window',
    ];
    for (const { method, path } of routes) {
      for (const odd of ODD_TEXTS) {
        for (const name of Object.keys(known).filter((one) => path.includes(`{${one}}`)))
          expectNoFault(
            await api.call(method, at(path, { ...known, [name]: odd })),
            `${method} ${path} ${name}=${odd}`,
          );
      }
      if (method !== 'GET' || path === '/readyz') continue;
      for (const odd of ['%00', '%ED%A0%80', 'x'.repeat(5000)])
        for (const name of [...queries, odd]) {
          const answer = await api.call(method, `${at(path)}?model=whisper&${name}=${odd}`);
          expectNoFault(answer, `${method} ${path}?${name}=${odd}`);
        }
    }
  });

  it('K30 odd headers', async () => {
    const heads: Record<string, string>[] = [
      { 'content-type': 'application/json; charset=utf-16' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': '\u00ff' },
      { authorization: 'Basic \u00ff\u00fe' },
      { authorization: `Bearer ${'x'.repeat(5000)}` },
      { authorization: 'Bearer \u00e9' },
      { 'if-none-match': '"\u00ff"', range: 'bytes=9-1' },
    ];
    for (const headers of heads)
      expectNoFault(await api.call('POST', '/api/downloads', '{"model":"whisper"}', headers), JSON.stringify(headers));
  });

  it('K30 names the field with a character that no database can hold, and JSON that is too deep', async () => {
    const json = { 'content-type': 'application/json' };
    const odd = withOdd(MANIFEST, ['type'], '"s\\u0000t"');
    const nul = await api.call('POST', '/api/models/whisper/versions', odd, json);
    expect([nul.statusCode, nul.json<Problem>().detail]).toEqual([400, expect.stringMatching(/^\/type: .*U\+0000/)]);
    const lone = await api.call('POST', '/api/models/whisper/versions', withOdd(MANIFEST, ['type'], '"\\ud800"'), json);
    expect([lone.statusCode, lone.json<Problem>().detail]).toEqual([
      400,
      expect.stringMatching(/^\/type: .*surrogate/),
    ]);
    const deep = await api.call('POST', '/api/downloads', LONG_VALUES.at(-1)!, json);
    expect([deep.statusCode, deep.json<Problem>().detail]).toEqual([400, expect.stringMatching(/deep/)]);
    const query = await api.call('GET', '/api/cids?model=whisper&type=a%00b');
    expect([query.statusCode, query.json<Problem>().detail]).toEqual([
      400,
      expect.stringMatching(/^\?type: .*U\+0000/),
    ]);
  });

  it('K45 even where it is no HTTP', async () => {
    const { port, hostname } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.end('GET /api/hosts\u0000 HTTP/1.1\r\nhost: x\r\n\r\n');
    const [head, body] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n/);
    expect(JSON.parse(body!)).toMatchObject({ code: 'invalid-request', status: 400 });
  });

  it('K45 with a head that is too long', async () => {
    const answer = await api.call('GET', `/api/hosts?selector=${'x'.repeat(20_000)}`);
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([431, 'head-too-large']);
  });

  it('K46 with a method that the address does not have', async () => {
    const answer = await api.call('PATCH', '/api/rollouts/0b0e7f0c-1111-4222-8333-444455556666/pause');
    expect([answer.statusCode, answer.headers.get('allow'), answer.json<Problem>().code]).toEqual([
      405,
      'POST',
      'method-not-allowed',
    ]);
    const list = await api.call('DELETE', '/api/rollouts');
    expect([list.statusCode, list.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect((await api.call('GET', '/api/rollouts/a/b/c')).statusCode).toBe(404);
  });
});
