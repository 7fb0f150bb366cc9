import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { parseSourceSecrets } from '#core/settings/source-secrets';
import type { Source } from '#core/source';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import { makeSources } from '#sources/make-sources';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { collect, quickHttp } from './collect.ts';

const FILE = someBytes(3000);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const whole = { range: { start: 0, end: FILE.length }, sizeBytes: FILE.length };

async function origin(): Promise<Origin> {
  const started = await startOrigin(FILE);
  closers.push(() => started.close());
  return started;
}

/** The one source of a file whose mirror names the secret `s`. */
function sourceOf(url: string, secrets: object): Source {
  const http = quickHttp();
  closers.push(() => http.close());
  const [source] = makeSources(
    { path: 'm', digests: { sha256: 'a'.repeat(64) }, sources: [{ kind: 'mirror', url, secretRef: 's' }] },
    {
      ...{ gateways: [], hfEndpoint: 'https://hub.example', layers: ['origin'], http },
      secrets: parseSourceSecrets(JSON.stringify(secrets)),
      ...{ health: new SourceHealth(), gates: new OriginGates(), logger: silentLogger },
    },
  );
  return source!;
}

describe('a mirror that names a secret', () => {
  it.each([
    ['a header', { authorization: 'Bearer abc' }, 'Bearer abc', ''],
    ['a login', { user: 'me', password: 'pä:ss' }, `Basic ${Buffer.from('me:pä:ss').toString('base64')}`, ''],
    ['a query', { query: '?token=abc' }, undefined, '&token=abc'],
  ])('T09 sends %s to its origin, and shows none of it', async (_what, secret, authorization, query) => {
    const { url, requests } = await origin();
    const source = sourceOf(`${url}/files/m.bin?v=1`, { s: { origin: url, ...secret } });
    const { bytes, error } = await collect(source, whole);
    expect([error, bytes.equals(FILE)]).toEqual([undefined, true]);
    expect(requests.map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      [`/files/m.bin?v=1${query}`, authorization],
    ]);
    expect(source.name).toBe(`${url.replace('http://', '')}/files/m.bin?v=redacted`);
  });

  it('T09 does not take the secret along when it is sent to another origin', async () => {
    const target = await origin();
    const from = await origin();
    from.faults.push({ do: 'redirect', to: `${target.url}/files/m.bin` });
    const source = sourceOf(`${from.url}/files/m.bin`, {
      s: { origin: from.url, authorization: 'Bearer abc', query: 'token=abc' },
    });
    const { error } = await collect(source, whole);
    expect(error).toBeUndefined();
    expect(from.requests[0]!.headers['authorization']).toBe('Bearer abc');
    expect(target.requests.map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      ['/files/m.bin', undefined],
    ]);
  });

  it.each([
    [
      'has no such secret',
      {},
      'this worker has no secret "s": add it to HAULIER_SECRETS, with the origin http://127.0.0.1:',
    ],
    [
      'has it for another origin',
      { s: { origin: 'https://files.example', authorization: 'Bearer abc' } },
      'the secret "s" of this worker is for https://files.example and is not sent to http://127.0.0.1:',
    ],
  ])('T09 makes no request and says why when the worker %s', async (_what, secrets, why) => {
    const { url, requests } = await origin();
    const { error } = await collect(sourceOf(`${url}/files/m.bin`, secrets), whole);
    expect(error).toMatchObject({ kind: 'forbidden', message: expect.stringContaining(why) });
    expect(requests).toEqual([]);
  });
});
