import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { fc } from '../../../helpers/properties.ts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type Answer, type TestApp } from '../start-app.ts';
import { anyBody, anyQuery, type ApiDocument, type Operation } from './any-request.ts';

const BY_SCHEMA = 12;
const SEED = 20_261_129;

let api: TestApp;
let document: ApiDocument;
let operations: { method: string; path: string; operation: Operation }[];
let ajv: Ajv2020;
let admin: Record<string, string>;
/** Values of the parameters that lead to something, by path and name. */
const known: Record<string, string> = { name: 'whisper', version: '1', cid: 'bafkqaaa', code: 'not-found' };

beforeAll(async () => {
  api = await startApp();
  admin = { authorization: `Bearer ${api.tokens.admin}` };
  document = (await api.call('GET', '/openapi.json')).json();
  operations = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    )
    // An event stream has no end; test/apps/api/live/events.int.test.ts reads it.
    .filter(({ operation }) => operation.responses[200]?.content?.['text/event-stream'] === undefined);
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  await seed();
});
afterAll(() => api.stop());

async function seed(): Promise<void> {
  const post = async <Made>(path: string, body: object): Promise<Made> =>
    (await api.call('POST', path, body, admin)).json();
  const file = { path: 'a.bin', sizeBytes: 1000, sha256: 'a'.repeat(64) };
  await post('/api/models', { name: 'whisper', version: '1', files: [file], cid: 'bafkqaaa' });
  const ordered = await post<{ downloads: { id: string }[] }>('/api/downloads', {
    model: 'whisper',
    host: 'whisper',
    allowUnknown: true,
  });
  known['downloads'] = ordered.downloads[0]!.id;
  const rollout = { models: ['whisper'], selector: '', allowEmpty: true };
  known['rollouts'] = (await post<{ id: string }>('/api/rollouts', rollout)).id;
  known['webhooks'] = (await post<{ id: string }>('/api/webhooks', { url: 'https://hooks.example/' })).id;
  known['deliveryId'] = (await post<{ id: string }>(`/api/webhooks/${known['webhooks']}/test`, {})).id;
}

/** The address with values that lead to something. */
function addressOf(path: string): string {
  const collection = /^\/api\/(\w+)\//.exec(path)?.[1] ?? '';
  return path.replace(/\{(\w+)\}/g, (_all, name: string) => known[name === 'id' ? collection : name] ?? 'x');
}

/** Fails when the answer is not one that the document has for the operation. */
function expectDescribed(answer: Answer, operation: Operation, pointer: string, what: string): void {
  const says = (problem: string): string => `${what}: ${problem}; ${answer.statusCode} ${answer.body.slice(0, 500)}`;
  const response = operation.responses[answer.statusCode];
  if (response === undefined || answer.statusCode === 500) throw new Error(says('such a status is not described'));
  if (answer.body === '') return;
  const type = answer.headers.get('content-type') ?? '';
  const described = Object.keys(response.content ?? {});
  const found = described.find((one) => sameType(one, type));
  if (found === undefined) throw new Error(says(`${type} is not one of ${described.join(', ')}`));
  if (!found.includes('json')) return;
  const place = [answer.statusCode, 'content', found, 'schema'].map((key) => escaped(String(key))).join('/');
  const validate = ajv.getSchema(`document#${pointer}/responses/${place}`)!;
  if (!validate(answer.json())) throw new Error(says(ajv.errorsText(validate.errors)));
}

/** Apart from the order and the case of parameters. */
const sameType = (a: string, b: string): boolean =>
  partsOf(a) === partsOf(b.replace(/; charset=utf-8$/, '')) || partsOf(a) === partsOf(b);

const partsOf = (type: string): string =>
  type
    .toLowerCase()
    .split(/\s*;\s*/)
    .sort()
    .join(';');

const escaped = (key: string): string => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

describe('every answer is one that the OpenAPI document has', () => {
  it('K47 to requests that it allows', async () => {
    for (const { method, path, operation } of operations) {
      // What is deleted could not be asked for afterwards.
      if (method === 'DELETE') continue;
      const pointer = `/paths/${escaped(path)}/${method.toLowerCase()}`;
      const requests = fc.record({ query: anyQuery(operation), body: anyBody(document, operation) });
      for (const { query, body } of fc.sample(requests, { numRuns: BY_SCHEMA, seed: SEED })) {
        const address = `${addressOf(path)}${query}`;
        const headers = { ...admin, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
        const answer = await api.call(method, address, body, headers);
        expectDescribed(answer, operation, pointer, `${method} ${address} ${body?.slice(0, 500) ?? ''}`);
      }
    }
  });

  it('K47 without a token, with one that allows too little, and of things that do not exist', async () => {
    const reader = { authorization: `Bearer ${api.tokens.read}` };
    for (const { method, path, operation } of operations) {
      const pointer = `/paths/${escaped(path)}/${method.toLowerCase()}`;
      const nothing = path
        .replace(/\{(id|deliveryId)\}/g, '0b0e7f0c-1111-4222-8333-444455556666')
        .replace(/\{\w+\}/g, 'nothing');
      for (const headers of [{ authorization: '' }, reader, admin]) {
        const answer = await api.call(method, nothing, undefined, headers);
        expectDescribed(answer, operation, pointer, `${method} ${nothing}`);
      }
    }
  });

  it('says which bodies may be left out', () => {
    const required = operations.map(({ operation }) => [operation.operationId, operation.requestBody?.required]);
    expect(Object.fromEntries(required)).toMatchObject({ createRollout: true, retryRollout: false, verifyHost: false });
  });
});
