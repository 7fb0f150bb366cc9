import { join } from 'node:path';
import { beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { MINUTE_MS } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { createThrottle } from '#transfer/report/throttle';
import { createFetcher, type FetcherDeps } from '../../../../apps/worker/downloads/fetcher.ts';
import { SourcePlaces } from '../../../../apps/worker/downloads/source-places.ts';
import { TransferLimits } from '../../../../apps/worker/downloads/transfer-limits.ts';
import type { SharedDownload } from '../../../../apps/worker/swarm/shared-download.ts';
import { aJob } from '../../../helpers/jobs.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { obtaining } from '../../../helpers/obtaining.ts';
import type { Origin } from '../../../helpers/origin/origin.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const bytes = bytesOf(1000);
const notShared = (): never => {
  throw new Error('a file without a CID is not shared');
};
const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

describe('a worker that begins a file of servers that asked other hosts for a pause', () => {
  let [first, second]: Origin[] = [];
  let http: Http;
  let health: SourceHealth;

  beforeEach(async () => {
    [first, second] = [
      await bench.origin({ files: { 'model.bin': bytes } }),
      await bench.origin({ files: { 'model.bin': bytes } }),
    ];
    http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    health = new SourceHealth();
  });
  afterEach(() => http.close());

  const isPaused = ({ url }: Origin, ms: number): void =>
    health.coolDown(url, ms, undefined, { kind: 'throttled', message: 'it asked another host of the fleet' });

  function fetch(cid: string | undefined, swarm: FetcherDeps['swarm'], partial = 'partial') {
    const layers = ['origin', 'peer'] as const;
    const shared = { gateways: [], hfEndpoint: 'http://hub.invalid', layers, http, health, logger: silentLogger };
    const fetcher = createFetcher({
      ...{
        config: { layers: [...layers], strategy: 'ordered' },
        health,
        places: new SourcePlaces(),
        tables: undefined,
      },
      limits: new TransferLimits({ limitBytesPerSecond: undefined, sourceLimits: new Map() }),
      sourcesOf: (job) => makeSources(job.file, { ...shared, gates: new OriginGates() }),
      swarm,
    });
    const sources = [first!, second!].map(({ url }) => ({ kind: 'mirror' as const, url: `${url}/files/model.bin` }));
    const file = { path: 'model.bin', sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) }, sources };
    return fetcher.fetch(aJob({ file: { ...file, cid } }), {
      ...{ partialPath: join(bench.folder, partial), salvage: [], signal: undefined, onTry: undefined },
      ...{ logger: silentLogger, throttle: createThrottle(undefined), onProgress: undefined },
    });
  }

  it('L16 asks none of them for a file that no other host learns of, before it knows the pauses', async () => {
    let [ended, begin] = [0, (): void => undefined];
    const swarmOf = (mayBegin: Promise<void>): FetcherDeps['swarm'] => ({
      join: notShared,
      fetches: () => ({ mayBegin, end: () => void (ended += 1) }),
    });
    const waiting = fetch(undefined, swarmOf(new Promise((resolve) => (begin = resolve))), 'waiting');
    // Another file that may begin is fetched from start to end meanwhile.
    await fetch(undefined, swarmOf(Promise.resolve()), 'other');
    expect(first!.requests).toHaveLength(1);
    for (const origin of [first!, second!]) isPaused(origin, 2 * MINUTE_MS);
    begin();
    await expect(waiting).rejects.toThrow('is paused, because of "it asked another host of the fleet"');
    expect([...first!.requests, ...second!.requests]).toHaveLength(1);
    expect(ended).toBe(2);
  });

  it('L16 tells the swarm how long all of them are paused, without those that it does not ask any more', async () => {
    const told: number[] = [];
    const start: SharedDownload['start'] = async (originPauseMs) => {
      const tell = (isLeft: (source: string) => boolean): void =>
        void told.push(Math.ceil(originPauseMs!(isLeft) / MINUTE_MS));
      const names: string[] = [];
      isPaused(first!, 2 * MINUTE_MS);
      tell((name) => (names.push(name), false));
      tell((name) => name === names[0]);
      isPaused(second!, MINUTE_MS);
      tell(() => true);
      throw new Error('enough');
    };
    const joined = { isTold: true, start, stop: () => undefined } as unknown as SharedDownload;
    await expect(fetch(CID, { join: () => joined, fetches: () => undefined })).rejects.toThrow('enough');
    expect(told).toEqual([0, 2, 1]);
  });
});
