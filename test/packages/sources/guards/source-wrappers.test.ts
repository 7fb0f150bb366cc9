import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { limited, OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { someBytes } from '../../../helpers/origin/origin-content.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { until } from '../../../helpers/until.ts';
import { collect, quickHttp } from '../collect.ts';
import { scripted } from './scripted.ts';

const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('the limits of an origin', () => {
  it('delays reads beyond the connections it tolerates, over all its sources', async () => {
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

  it('counts requests for each CID where the origin does, so that many files are not held back by one', async () => {
    let asked = 0;
    const counting = (cid: string): Source => ({
      ...scripted([], 'http://o', { requestsPerMinutePerCid: 15, maxConnections: 50 }),
      cid,
      read: () => Promise.resolve(void (asked += 1)),
      readBlock: () => Promise.resolve(void (asked += 1)).then(() => new Uint8Array(0)),
    });
    const wrap = limited(new OriginGates(() => 0));
    const files = ['a', 'b', 'c'].map((cid) => wrap(counting(cid)));
    const stop = new AbortController();
    const sink = { head: () => undefined, write: () => undefined };
    const reads = files.flatMap((file) =>
      Array.from({ length: 16 }, () => file.read({}, sink, stop.signal).catch((error: unknown) => error)),
    );
    await until(() => asked >= 45, { what: 'fifteen requests for each file' });
    // Blocks have CIDs, and allowances, of their own; that of the file is used up by reads of the file.
    await Promise.all(Array.from({ length: 15 }, () => files[0]!.readBlock!('leaf', 10, stop.signal)));
    expect(asked).toBe(60);
    stop.abort();
    const ended = await Promise.all(reads);
    expect(ended.filter((error) => error !== undefined)).toEqual(
      Array(3).fill(expect.objectContaining({ name: 'SourceError', kind: 'aborted' })),
    );
    expect(asked).toBe(60);
  });

  it('keeps only origins that are asked now or have used up some of their allowance', async () => {
    let now = 0;
    const gates = new OriginGates(() => now);
    const busy = await gates.enter('http://busy', { connections: 1 }, never);
    (await gates.enter('http://counted', { connections: 1, requestsPerMinute: 60 }, never))();
    for (let n = 0; n < 1000; n += 1) (await gates.enter(`http://o${n}`, { connections: 1 }, never))();
    expect(gates.size).toBe(3);
    busy();
    now = 1000;
    (await gates.enter('http://last', { connections: 1 }, never))();
    expect(gates.size).toBe(1);
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

describe('making the sources of a file', () => {
  it('holds gateways to what the operator says of them', () => {
    const http = quickHttp();
    closers.push(() => http.close());
    const [source] = makeSources(
      { path: 'm', digests: {}, cid: 'bafyfile', sources: [] },
      {
        ...{ gateways: ['https://a.gateway.example'], hfEndpoint: 'https://hub.example', layers: ['ipfs'], http },
        gatewayData: { 'gateway.example': { requestsPerMinutePerCid: 7, maxRangeFileBytes: 9, blocksOnly: true } },
        ...{ health: new SourceHealth(), gates: new OriginGates(), logger: silentLogger },
      },
    );
    expect(source).toMatchObject({ cid: 'bafyfile' });
    expect(source!.capabilities()).toMatchObject({ range: false, requestsPerMinutePerCid: 7, maxRangeFileBytes: 9 });
  });

  it('orders them by layer and configuration, warns of gateways that are gone, and they work', async () => {
    const origin = await startOrigin(someBytes(100));
    const http = quickHttp();
    closers.push(
      () => origin.close(),
      () => http.close(),
    );
    const warnings: unknown[] = [];
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
        layers: ['cache', 'origin', 'ipfs'],
        http,
        health: new SourceHealth(),
        gates: new OriginGates(),
        logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
      },
    );
    expect(sources.map((source) => source.kind)).toEqual(['mirror', 'huggingface', 'ipfs-gateway']);
    expect(warnings).toEqual([expect.objectContaining({ gateway: 'https://cloudflare-ipfs.com' })]);
    for (const source of sources) expect((await collect(source, {})).bytes.equals(someBytes(100))).toBe(true);
  });

  it('E15 makes none for a file that only IPFS has when no gateway is configured', () => {
    const config = { gateways: [], hfEndpoint: 'https://hub.example', layers: ['ipfs'] as const, http: quickHttp() };
    const shared = { health: new SourceHealth(), gates: new OriginGates(), logger: silentLogger };
    expect(makeSources({ path: 'm', digests: {}, cid: 'bafyfile', sources: [] }, { ...config, ...shared })).toEqual([]);
  });
});
