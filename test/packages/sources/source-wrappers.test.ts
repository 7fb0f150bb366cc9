import { afterEach, describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { limited, OriginGates } from '#sources/limited';
import { makeSources } from '#sources/make-sources';
import type { SourceObservation } from '#sources/observed';
import { observed } from '#sources/observed';
import { SourceHealth } from '#sources/source-health';
import { withHealth } from '#sources/with-health';
import { someBytes } from '../../helpers/origin-content.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { collect, quickHttp } from './collect.ts';

const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A source that does what the next entry says: an error is thrown, a number is that many bytes. */
function scripted(
  script: (Error | number)[],
  origin = 'http://o',
  more: Partial<ReturnType<Source['capabilities']>> = {},
): Source {
  return {
    name: 'scripted',
    kind: 'mirror',
    layer: 'huggingface',
    origin,
    capabilities: () => ({ range: true, blocks: false, maxConnections: 2, ...more }),
    read: async (_request, sink) => {
      const next = script.shift() ?? 10;
      if (next instanceof Error) throw next;
      sink.head({ start: 0, end: next, totalBytes: next, etag: undefined });
      await sink.write(new Uint8Array(next));
    },
  };
}

const failure = (kind: SourceError['kind'], retryAfterMs?: number): SourceError =>
  new SourceError(kind, 'scripted', 'no', { retryAfterMs });

describe('the health of an origin', () => {
  it('opens after failures in a row, lets one probe through after the rest, and closes again', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 2, restMs: 100 });
    const source = withHealth(health)(
      scripted([failure('unreachable'), failure('timed-out'), failure('unreachable'), 10]),
    );
    await collect(source, {});
    expect(health.of('http://o').state).toBe('closed');
    await collect(source, {});
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 100 });
    expect((await collect(source, {})).error).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('rests'),
    });
    now = 100;
    expect(health.of('http://o').state).toBe('half-open');
    await collect(source, {});
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 200 });
    now = 300;
    expect((await collect(source, {})).error).toBeUndefined();
    expect(health.of('http://o').state).toBe('closed');
  });

  it('lets only one probe through at a time', () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 1, restMs: 10 });
    health.failed('o', { kind: 'unreachable' });
    now = 10;
    health.admit('o', 's');
    expect(() => health.admit('o', 's')).toThrow(/rests/);
    health.failed('o', { kind: 'aborted' });
    health.admit('o', 's');
  });

  it('A28 HT2 keeps every transfer away for as long as the origin asked, whatever others still finish', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const one = withHealth(health)(scripted([failure('throttled', 5000)]));
    const other = withHealth(health)(scripted([]));
    await collect(one, {});
    health.succeeded('http://o');
    expect((await collect(other, {})).error).toMatchObject({ kind: 'throttled', retryAfterMs: 5000 });
    now = 5000;
    expect((await collect(other, {})).error).toBeUndefined();
  });

  it('does not blame an origin for one missing file or for our own stop', () => {
    const health = new SourceHealth({ failuresToOpen: 1 });
    for (const kind of ['missing', 'forbidden', 'size-mismatch', 'digest-mismatch', 'aborted'] as const)
      health.failed('o', { kind });
    expect(health.of('o').state).toBe('closed');
  });

  it('learns success rate and speed', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const slow: Source = {
      ...scripted([]),
      read: async (_request, sink) => {
        sink.head({ start: 0, end: 100, totalBytes: 100, etag: undefined });
        now += 1000;
        await sink.write(new Uint8Array(100));
      },
    };
    await collect(withHealth(health, () => now)(slow), {});
    expect(health.snapshot()).toEqual([
      { origin: 'http://o', state: 'closed', waitMs: 0, successRate: 1, bytesPerSecond: 100 },
    ]);
    health.failed('http://o', { kind: 'timed-out' });
    expect(health.of('http://o').successRate).toBeCloseTo(0.8);
  });
});

describe('the limits of an origin', () => {
  it('holds back reads beyond the connections it tolerates, over all its sources', async () => {
    let busy = 0;
    let most = 0;
    const counting: Source = {
      ...scripted([]),
      read: async () => {
        most = Math.max(most, (busy += 1));
        await new Promise((resolve) => setImmediate(resolve));
        busy -= 1;
      },
    };
    const wrap = limited(new OriginGates());
    const [a, b] = [wrap(counting), wrap(counting)];
    await Promise.all(Array.from({ length: 10 }, (_, n) => collect(n % 2 ? a : b, {})));
    expect(most).toBe(2);
  });

  it('spreads requests over the minute once the allowance is used up', async () => {
    const source = limited(new OriginGates())(scripted([], 'http://o', { requestsPerMinute: 600, maxConnections: 50 }));
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: 602 }, () => source.read({}, { head: () => undefined, write: () => undefined }, never)),
    );
    expect(performance.now() - startedAt).toBeGreaterThan(90);
  });

  it('gives up its place in the queue when stopped', async () => {
    const gates = new OriginGates();
    const leave = await gates.enter('o', { connections: 1 }, never);
    const stop = new AbortController();
    const waiting = gates.enter('o', { connections: 1 }, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow();
    leave();
    (await gates.enter('o', { connections: 1 }, never))();
  });
});

describe('an observed source', () => {
  it('reports each request with its outcome', async () => {
    const seen: SourceObservation[] = [];
    const source = observed((observation) => seen.push(observation))(
      scripted([10, failure('missing'), new RangeError()]),
    );
    for (let i = 0; i < 3; i += 1) await collect(source, {});
    expect(seen.map(({ outcome, bytes }) => [outcome, bytes])).toEqual([
      ['success', 10],
      ['missing', 0],
      ['sink', 0],
    ]);
  });
});

describe('making the sources of a file', () => {
  it('orders them by layer and configuration, warns of gateways that are gone, and they work', async () => {
    const origin = await startOrigin(someBytes(100));
    const http = quickHttp();
    closers.push(
      () => origin.close(),
      () => http.close(),
    );
    const warnings: unknown[] = [];
    const seen: SourceObservation[] = [];
    const sources = makeSources(
      {
        path: 'a/m.bin',
        digests: {},
        cid: 'bafyfile',
        sources: [
          { kind: 'mirror', url: `${origin.url}/files/m.bin` },
          { kind: 'huggingface', repo: 'o/m', revision: 'main', path: 'm.bin' },
        ],
      },
      {
        gateways: ['https://cloudflare-ipfs.com', origin.url],
        hfEndpoint: origin.url,
        layers: ['cache', 'huggingface', 'ipfs'],
        http,
        health: new SourceHealth(),
        gates: new OriginGates(),
        logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
        report: (observation) => seen.push(observation),
      },
    );
    expect(sources.map((source) => source.kind)).toEqual(['mirror', 'huggingface', 'ipfs-gateway']);
    expect(warnings).toEqual([expect.objectContaining({ gateway: 'https://cloudflare-ipfs.com' })]);
    for (const source of sources) expect((await collect(source, {})).bytes.equals(someBytes(100))).toBe(true);
    expect(seen).toHaveLength(3);
  });

  it('E15 makes none for a file that only IPFS has when no gateway is configured', () => {
    const config = { gateways: [], hfEndpoint: 'https://hub.example', layers: ['ipfs'] as const, http: quickHttp() };
    const shared = { health: new SourceHealth(), gates: new OriginGates(), logger: silentLogger };
    expect(makeSources({ path: 'm', digests: {}, cid: 'bafyfile', sources: [] }, { ...config, ...shared })).toEqual([]);
  });
});
