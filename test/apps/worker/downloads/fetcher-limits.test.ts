import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { KIB, MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { createThrottle } from '#transfer/report/throttle';
import { createFetcher } from '../../../../apps/worker/downloads/fetcher.ts';
import { TransferLimits } from '../../../../apps/worker/downloads/transfer-limits.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { obtaining } from '../../../helpers/obtaining.ts';
import type { Origin } from '../../../helpers/origin/origin.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';

expectNoLeaks();
const bench = obtaining();
const layers = ['origin'] as const;
const hostOf = ({ url }: Origin): string => new URL(url).host;

interface Configured {
  readonly worker?: number;
  readonly sources?: readonly [origin: Origin, bytesPerSecond: number][];
}

/** The fetcher of one worker; each fetch is one transfer of one file of one mirror, and tells how many milliseconds it took. */
function fetcherWith({ worker, sources = [] }: Configured) {
  const limits = new TransferLimits({
    limitBytesPerSecond: worker,
    sourceLimits: new Map(sources.map(([origin, rate]) => [hostOf(origin), rate])),
  });
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
  const health = new SourceHealth();
  const gates = new OriginGates();
  const shared = { gateways: [], hfEndpoint: 'http://hub.invalid', layers, http, health, gates, logger: silentLogger };
  const fetcher = createFetcher({
    config: { layers: [...layers], strategy: 'ordered' },
    limits,
    sourcesOf: (job) => makeSources(job.file, shared),
    health,
    tables: undefined,
  });
  let count = 0;
  const fetch = async (origin: Origin, bytes: Buffer, onBytes?: (committed: number) => void): Promise<number> => {
    const startedAt = performance.now();
    const name = `m${(count += 1)}.bin`;
    const job = downloadJob.payload.parse({
      ...{ version: 1, downloadId: '00000000-0000-4000-8000-000000000000', generation: 1 },
      file: {
        ...{ path: name, sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) } },
        sources: [{ kind: 'mirror', url: `${origin.url}/files/model.bin` }],
      },
    });
    const obtained = await fetcher.fetch(job, {
      ...{ partialPath: join(bench.folder, name), salvage: [], signal: undefined, onTry: undefined },
      ...{ logger: silentLogger, throttle: createThrottle(undefined) },
      onProgress: ({ committedBytes }) => onBytes?.(committedBytes),
    });
    expect(obtained).toMatchObject({ verified: 'digest', sizeBytes: bytes.length });
    return performance.now() - startedAt;
  };
  return { limits, fetch, close: () => http.close() };
}

it('EX2 the limits of a worker and of a source hold together, over all transfers', async () => {
  const [small, large] = [bytesOf(2 * MIB, 'small'), bytesOf(12 * MIB, 'large')];
  const slow = await bench.origin({ files: { 'model.bin': small } });
  const other = await bench.origin({ files: { 'model.bin': large } });
  const { fetch, close } = fetcherWith({ worker: 8 * MIB, sources: [[slow, 2 * MIB]] });
  let slowDone = 0;
  let slowDoneBefore: number | undefined;
  const fromSlow = async (): Promise<number> => fetch(slow, small).finally(() => (slowDone += 1));
  const [first, second, third] = await Promise.all([
    ...[fromSlow(), fromSlow()],
    fetch(other, large, (committed) => {
      if (committed > 0) slowDoneBefore ??= slowDone;
    }),
  ]);
  close();
  // 100 ms of each limit may be taken at once.
  expect(Math.max(first!, second!)).toBeGreaterThan(1850);
  expect(Math.max(first!, second!, third!)).toBeGreaterThan(1850);
  // The limit of the slow source leaves the rest of the worker's limit to the other one.
  expect(slowDoneBefore).toBeLessThan(2);
});

it.each(['the worker', 'its source'])(
  'EX2 the limit of %s is changed while a transfer runs, both ways',
  async (whose) => {
    const bytes = bytesOf(8 * MIB);
    const origin = await bench.origin({ files: { 'model.bin': bytes } });
    // With it the file takes more time than this test has.
    const crawling = 64 * KIB;
    const limitsOf = (rate: number) =>
      whose === 'the worker' ? { workerBytesPerSecond: rate, sources: {} } : { sources: { [hostOf(origin)]: rate } };
    const { limits, fetch, close } = fetcherWith({});
    limits.change(limitsOf(crawling));
    const limited = fetch(origin, bytes);
    await until(() => origin.requests.length > 0, { what: 'the first request' });
    limits.change(limitsOf(4 * MIB));
    expect(await limited).toBeGreaterThan(1500);
    limits.change(limitsOf(crawling));
    const asked = origin.requests.length;
    const freed = fetch(origin, bytes);
    await until(() => origin.requests.length > asked, { what: 'the next request' });
    limits.change({ sources: {} });
    await freed;
    close();
  },
);

it('EX2 a limit that is removed falls back to the configured one', async () => {
  // As the worker is configured, the large file takes more time than this test has.
  const [small, large] = [bytesOf(2 * MIB), bytesOf(64 * MIB)];
  const origin = await bench.origin({ files: { 'model.bin': large } });
  const { limits, fetch, close } = fetcherWith({ worker: 2 * MIB, sources: [[origin, MIB]] });
  limits.change({ workerBytesPerSecond: 1e12, sources: { [hostOf(origin)]: 1e12, 'other.example': 5 } });
  await fetch(origin, large);
  origin.serve({ files: { 'model.bin': small } });
  limits.change({ workerBytesPerSecond: 1e12, sources: {} });
  expect(await fetch(origin, small)).toBeGreaterThan(1700);
  close();
});
