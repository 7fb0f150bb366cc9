import { describe, expect, it } from '@jest/globals';
import type { Logger } from '#core/logger';
import { SourceHealth } from '#sources/guards/source-health';
import { toV0 } from '../helpers/dag/cid-forms.ts';
import { leafCid } from '#content/leaf/leaf-block';
import type { Fault, FaultRule } from '../helpers/origin/origin-fault.ts';
import {
  failuresOf,
  fileOf,
  LEAF_BYTES,
  leafRange,
  obtaining,
  PLAIN,
  rangesOf,
  testFile,
} from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { bytesOf } from '../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const LAST = file.table.count - 1;

describe('a gateway that is not there', () => {
  it('E01 RE7 asks a name that does not resolve no more than its tries, and the next one at once', async () => {
    const names: string[] = [];
    const resolve = (host: string): Promise<never> => {
      names.push(host);
      return Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
    };
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: ['http://gone.invalid', good], http: { resolve } });
    expect(run.result).toMatchObject({ outcome: 'primary_success' });
    expect(names.length).toBeGreaterThan(0);
    expect(names.length).toBeLessThanOrEqual(6);
  });

  it('E01 names a gateway that is known to be gone, and does not ask it', async () => {
    const said: unknown[] = [];
    const quiet = (): void => undefined;
    const logger: Logger = { debug: quiet, info: quiet, error: quiet, warn: (fields) => void said.push(fields) };
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: ['https://cloudflare-ipfs.com', good], logger });
    expect(said).toEqual([{ gateway: 'https://cloudflare-ipfs.com', reason: expect.stringContaining('2024-08-14') }]);
    expect(run.result).toBeDefined();
  });

  it('E15 CH1 goes to the next layer at once when no gateway is configured', async () => {
    const mirror = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [], mirrors: [mirror] });
    expect(run.result).toMatchObject({ outcome: 'secondary_success' });
    expect(mirror.requests).toHaveLength(1);
  });
});

describe('gateways that were asked before', () => {
  const order = (health: SourceHealth) => ({
    health,
    options: { health: ({ origin }: { origin: string }) => health.of(origin) },
  });

  it('ME5 are asked in the configured order first, and by how often they succeeded then', async () => {
    const health = new SourceHealth({ cooldownMs: 1 });
    const first = await bench.faulty(file, { do: 'status', status: 500, body: 'panic' }, 3);
    const second = await bench.origin(file.served);
    const before = await bench.obtain({ file, gateways: [first, second], ...order(health) });
    expect(`http://${before.tries[0]!.source}`).toBe(first.url);
    // Both gave blocks of the leaf table.
    expect(before.tries[0]!.rankedBecause).toMatch(/^configured 1st/);
    const asked = rangesOf(first).length;

    const again = order(health);
    const options = { ...again.options, partialPath: `${before.partialPath}.again` };
    const after = await bench.obtain({ file, gateways: [first, second], health, options });
    expect(after.tries.map(({ source }) => `http://${source}`)).toEqual([second.url]);
    expect(after.tries[0]!.rankedBecause).toMatch(/^configured 2nd, 100 % of its tries succeed/);
    expect(rangesOf(first)).toHaveLength(asked);
  });

  it('ME5 are asked by how fast they were', async () => {
    const health = new SourceHealth();
    const slow = await bench.origin(file.served, [], { bytesPerSecond: 3e6 });
    const fast = await bench.origin(file.served);
    for (const [n, gateway] of [slow, fast].entries()) {
      const options = { ...order(health).options, partialPath: `${bench.partialPath}.${n}` };
      await bench.obtain({ file, gateways: [gateway], health, options });
    }
    const run = await bench.obtain({ file, gateways: [slow, fast], ...order(health) });
    expect(`http://${run.tries[0]!.source}`).toBe(fast.url);
    expect(run.tries[0]!.rankedBecause).toMatch(/configured 2nd, .* times the usual speed/);
  });
});

describe('a gateway that cannot help', () => {
  it.each<[string, Fault, string, number]>([
    ['E02 504 after its search', { do: 'status', status: 504 }, 'throttled', 3],
    ['E03 410', { do: 'status', status: 410 }, 'missing', 1],
    ['E03 451', { do: 'status', status: 451 }, 'missing', 1],
    ['E03 500 with the words of boxo', { do: 'status', status: 500, body: 'ipld: could not find node' }, 'missing', 1],
  ])('%s: the next gateway gives the file', async (_, fault, kind, most) => {
    const [bad, good] = [await bench.faulty(file, fault), await bench.origin(file.served)];
    const run = await bench.obtain({ file, gateways: [bad, good] });
    expect(failuresOf(run)[0]).toBe(kind);
    expect(rangesOf(bad).length).toBeLessThanOrEqual(most);
    expect(run.result).toMatchObject({ outcome: 'primary_success', wastedBytes: 0 });
  });

  it('E05 RE6 loses only the bad leaves of corrupt sources, whatever the layer of the correct one', async () => {
    const flip = (leaf: number): Promise<Fault> => Promise.resolve({ do: 'flip', atByte: leaf * LEAF_BYTES });
    const liars = [await bench.faulty(file, await flip(2)), await bench.faulty(file, await flip(2))];
    const hub = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: liars, hub });
    expect(run.result).toMatchObject({ badLeaves: 2, wastedBytes: 2 * LEAF_BYTES, outcome: 'secondary_success' });
    expect(hub.requests.map(({ range }) => range)).toEqual([leafRange(file, 2, 2)]);
  });

  it('E07 takes no wrong block: neither for the table nor for a leaf', async () => {
    const rules = [{ path: 'format=raw', fault: { do: 'other-bytes' } }] as const;
    const liar = await bench.origin(file.served, [], { rules });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [liar, good] });
    expect(run.result).toMatchObject({ verified: 'leaves', badLeaves: 0 });
    const alone = await bench.obtain({
      file,
      gateways: [liar],
      identity: { digests: {} },
      options: { partialPath: `${bench.partialPath}2` },
    });
    expect(alone.error).toMatchObject({ name: 'ExhaustedError', message: expect.stringContaining('other bytes') });
  });

  it.each<[string, Fault]>([
    ['E09 501', { do: 'status', status: 501 }],
    ['E09 406', { do: 'status', status: 406 }],
    ['E09 416', { do: 'range-not-satisfiable' }],
  ])('%s to a range: raw blocks, leaf by leaf', async (_, fault) => {
    const origin = await bench.faulty(file, fault);
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(run.result?.sources[0]).toMatchObject({ mode: 'blocks', wastedBytes: 0 });
    const blocks = origin.requests.filter(({ path }) => path.endsWith('?format=raw'));
    expect(blocks).toHaveLength(1 + file.table.count);
  });

  it('E16 takes the blocks that a gateway has, and the others elsewhere', async () => {
    const isHeld = (_: unknown, leaf: number): boolean => leaf >= 5 && leaf < 12;
    const leaves = Array.from({ length: file.table.count }, (_, leaf) => leafCid(file.table, leaf)!);
    const lacks: FaultRule[] = leaves
      .filter((cid, leaf) => !isHeld(cid, leaf))
      .map((cid) => ({ path: cid, fault: { do: 'status', status: 404 } }));
    const rules: FaultRule[] = [{ path: PLAIN, fault: { do: 'status', status: 404 } }, ...lacks];
    const parts = await bench.origin(file.served, [], { rules });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [parts], mirrors: [good] });
    expect(run.result).toMatchObject({ verified: 'leaves', wastedBytes: 0, outcome: 'secondary_success' });
    const [first, second] = run.result!.sources;
    expect(first).toMatchObject({ mode: 'blocks', errors: 0 });
    expect(first!.bytes).toBeGreaterThan(3 * LEAF_BYTES);
    expect(first!.bytes + second!.bytes).toBe(file.bytes.length);
  });

  it('E08 HA1 walks the redirect to a subdomain once per transfer', async () => {
    const place = await bench.origin({ ...file.served, files: { '/': file.bytes } });
    const subdomain = `http://${file.cid}.ipfs.localhost:${place.port}/`;
    const rules: FaultRule[] = [{ path: PLAIN, fault: { do: 'redirect', to: subdomain, status: 301 } }];
    const gateway = await bench.origin(file.served, [], { rules });
    place.rules.push({ path: PLAIN, fault: { do: 'end-short', by: 11 * LEAF_BYTES + 777 }, times: 1 });
    const run = await bench.obtain({ file, gateways: [gateway] });
    expect(run.result).toMatchObject({ verified: 'leaves', wastedBytes: 0 });
    expect(rangesOf(gateway)).toEqual([leafRange(file, 0, LAST)]);
    expect(rangesOf(place)).toHaveLength(2);
  });

  it('E10 sends no validator of a gateway back to it', async () => {
    const faults = [{ do: 'weak-etag' }, { do: 'cut', afterBytes: 4 * LEAF_BYTES }] as const;
    const origin = await bench.faulty(file, faults, 2);
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(rangesOf(origin)).toHaveLength(3);
    expect(origin.requests.filter(({ headers }) => 'if-range' in headers || 'if-match' in headers)).toEqual([]);
    expect(run.result).toBeDefined();
  });
});

describe('one file under many names', () => {
  it('E11 continues a partial under another form of the same CID', async () => {
    const v0 = await fileOf(bytesOf(5 * 256 * 1024), { profile: 'unixfs-v0-2015' });
    const oldName = toV0(v0.cid);
    expect(oldName).toMatch(/^Qm/);
    const served = { ...v0.served, ipfs: { [v0.cid]: v0.bytes, [oldName]: v0.bytes } };
    const rules = [
      { path: PLAIN, times: 1, fault: { do: 'cut', afterBytes: 2 * 256 * 1024 } },
      { path: PLAIN, times: 1, fault: { do: 'status', status: 410 } },
    ] as const;
    const origin = await bench.origin(served, [], { rules });
    await bench.obtain({ file: v0, gateways: [origin], identity: { cid: oldName } });
    const run = await bench.obtain({ file: v0, gateways: [origin] });
    expect(run.result).toMatchObject({ resumedBytes: 2 * 256 * 1024, wastedBytes: 0 });
  });

  it('E12 refuses an unknown hash before any request', async () => {
    const origin = await bench.origin(file.served);
    const identity = { cid: 'bafkr6iabcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst' };
    const run = await bench.obtain({ file, gateways: [origin], identity });
    expect(run.error).toMatchObject({ name: 'VerifyError', kind: 'unsupported' });
    expect(origin.requests).toEqual([]);
  });

  it('asks for no leaf twice when the gateway is only slow to begin', async () => {
    const origin = await bench.faulty(file, { do: 'delay', ms: 40 });
    await bench.obtain({ file, gateways: [origin] });
    expect(rangesOf(origin)).toEqual([leafRange(file, 0, LAST)]);
  });
});
