import { describe, expect, it } from '@jest/globals';
import type { Fault } from '../helpers/origin/origin-fault.ts';
import { COMMIT, failuresOf, LEAF_BYTES, obtaining, REPO, testFile, type ObtainRequest } from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;
const HALF = 10 * LEAF_BYTES;
/** When the links of the fake hub were signed; they live an hour. */
const SIGNED_AT_MS = Date.UTC(2026, 0, 1);

describe('a redirect', () => {
  it('D01 HA5 is resolved against the current URL and keeps its query', async () => {
    const origin = await bench.origin(file.served, [{ do: 'redirect-chain', hops: 2 }]);
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(origin.requests.map(({ path }) => path)).toEqual([
      '/files/model.onnx',
      '/~hop/1?to=%2Ffiles%2Fmodel.onnx',
      '/~hop/0?to=%2Ffiles%2Fmodel.onnx',
      '/files/model.onnx?hopped',
    ]);
    expect(run.result).toBeDefined();
  });

  it.each<[string, Fault, RegExp]>([
    ['D02 HA6 a loop', { do: 'redirect-loop' }, /loop/],
    ['D03 HA6 eleven hops', { do: 'redirect-chain', hops: 11 }, /more than 10/],
    ['D06 HA6 to file:', { do: 'redirect', to: 'file:///etc/passwd' }, /file:/],
    ['D06 HA6 to ftp:', { do: 'redirect', to: 'ftp://127.0.0.1/x' }, /ftp:/],
    ['D15 without Location', { do: 'redirect-nowhere' }, /without Location/],
  ])('%s is refused by name, and the next source is asked', async (_, fault, message) => {
    const [bad, good] = [await bench.faulty(file, fault), await bench.origin(file.served)];
    const run = await bench.obtain({ file, mirrors: [bad, good] });
    expect(failuresOf(run)).toEqual(['bad-response']);
    expect(run.tries[0]?.failure?.message).toMatch(message);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });
});

describe('a hub that sends us to a content host', () => {
  const hubAndCdn = async (cdnFaults: readonly Fault[], more: Partial<ObtainRequest> = {}) => {
    const cdn = await bench.origin(file.served, cdnFaults);
    const hub = await bench.origin(file.served, [], { cdn: cdn.url });
    const run = await bench.obtain({ file, hub, token: 'secret-token', http: { now: () => SIGNED_AT_MS }, ...more });
    return { run, hub, cdn };
  };
  const cut: Fault = { do: 'cut', afterBytes: HALF };
  const expired: Fault = { do: 'status', status: 403 };

  it('D07 HA2 resolves an expired link once more and keeps the partial', async () => {
    // Its first answer is a legal prefix, so it may be asked for the rest.
    const { run, hub, cdn } = await hubAndCdn([{ do: 'end-short', by: SIZE - HALF }, expired]);
    expect(hub.requests).toHaveLength(2);
    expect(cdn.requests.map(({ range }) => range)).toEqual([
      `bytes=0-${SIZE - 1}`,
      `bytes=${HALF}-${SIZE - 1}`,
      `bytes=${HALF}-${SIZE - 1}`,
    ]);
    expect(failuresOf(run)).toEqual([]);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });

  it('D08 HA2 counts a link that expired again as a failure; the next source continues at the same offset', async () => {
    const mirror = await bench.origin(file.served);
    const { run, cdn } = await hubAndCdn([cut, expired, expired], { mirrors: [mirror] });
    expect(failuresOf(run)[0]).toBe('interrupted');
    expect(cdn.requests.length).toBeLessThanOrEqual(3);
    expect(mirror.requests.map(({ range }) => range)).toEqual([`bytes=${HALF}-${SIZE - 1}`]);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });

  it('D08 HA2 names the source in the error when there is no other one, and keeps the bytes', async () => {
    const { run } = await hubAndCdn([cut, expired, expired]);
    expect(failuresOf(run)).toEqual(['interrupted', 'forbidden']);
    const later = await bench.obtain({ file, mirrors: [await bench.origin(file.served)] });
    expect(later.result).toMatchObject({ resumedBytes: HALF });
  });

  it('D10 HA4 keeps the token to the hub itself', async () => {
    const { run, hub, cdn } = await hubAndCdn([]);
    expect(hub.requests[0]?.headers['authorization']).toBe('Bearer secret-token');
    expect(cdn.requests.map(({ headers }) => headers['authorization'])).toEqual([undefined]);
    expect(run.result).toBeDefined();
  });
});

describe('a hub that says no', () => {
  const gated = { repos: { [REPO]: { commit: COMMIT, files: {}, gated: true } } };

  it.each<[string, object, string, RegExp]>([
    ['D11 HA3 RepoNotFound', {}, 'missing', /no such repository, or it is private/],
    ['D12 HA3 GatedRepo', gated, 'forbidden', /accept its terms/],
  ])('%s: is reported, is asked once, and the next source continues', async (_, served, kind, message) => {
    const [hub, mirror] = [await bench.origin(served), await bench.origin(file.served)];
    const run = await bench.obtain({ file, hub, mirrors: [mirror] });
    expect(failuresOf(run)).toEqual([kind]);
    expect(run.tries[0]?.failure?.message).toMatch(message);
    expect(hub.requests).toHaveLength(1);
    expect(run.result).toBeDefined();
  });

  it('D13 HA3 keeps what is there when the token is revoked in the middle', async () => {
    const revoked: Fault = { do: 'status', status: 401 };
    const hub = await bench.origin(file.served, [{ do: 'cut', afterBytes: HALF }, revoked]);
    const run = await bench.obtain({ file, hub, token: 'secret-token' });
    expect(failuresOf(run)).toEqual(['interrupted', 'forbidden']);
    expect(String(run.error)).not.toContain('secret-token');
    const later = await bench.obtain({ file, mirrors: [await bench.origin(file.served)] });
    expect(later.result).toMatchObject({ resumedBytes: HALF });
  });
});
