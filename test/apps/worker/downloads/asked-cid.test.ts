import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { obtain } from '#fetch/obtain';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { openStore, type Store } from '#store/open-store';
import type { Fetcher } from '../../../../apps/worker/downloads/fetcher.ts';
import { Attempt } from '../../../../apps/worker/downloads/attempt.ts';
import { storeLeafTables } from '../../../../apps/worker/downloads/leaf-table-cache.ts';
import { RunningDownloads } from '../../../../apps/worker/downloads/running-downloads.ts';
import { makeBlocks, type DagLayout } from '../../../helpers/dag/dag.ts';
import { aJob } from '../../../helpers/jobs.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { fileOf, obtaining } from '../../../helpers/obtaining.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await fileOf(bytesOf(2 * MIB + 77));
const cidOf = (bytes: Uint8Array, layout: DagLayout): string => makeBlocks(bytes, layout).cid;

describe('a manifest that names a CID and a SHA-256, and no gateway that has its blocks', () => {
  let http: Http;
  let store: Store;
  beforeEach(async () => {
    http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    store = await openStore({ home: join(bench.folder, 'store') });
  });
  afterEach(() => http.close());

  /** One attempt of a worker. @returns what it told of its end */
  async function attempt(cid: string): Promise<Extract<WorkerEvent, { type: 'download.finished' }> | undefined> {
    const origin = await bench.origin({ files: file.served.files! });
    const health = new SourceHealth();
    const layers = ['ipfs', 'origin'] as const;
    const parts = { layers, http, health, gates: new OriginGates(), logger: silentLogger };
    const sourcesOf = (job: DownloadJob): Source[] =>
      makeSources(job.file, { gateways: [origin.url], hfEndpoint: origin.url, ...parts });
    const tables = storeLeafTables(store, silentLogger);
    const fetch: Fetcher['fetch'] = (job, hooks) =>
      obtain(job.file, { ...hooks, sources: sourcesOf(job), layers, strategy: 'ordered', tables });
    const sources = [{ kind: 'mirror' as const, url: `${origin.url}/files/${file.name}` }];
    // Bytes of no format: a name that promises none.
    const job = aJob({ file: { path: 'weights.bin', cid, digests: { sha256: file.sha256 }, sources } });
    const { signal } = new AbortController();
    const running = new RunningDownloads(() => performance.now()).begin(job, signal);
    const events: WorkerEvent[] = [];
    const result = await new Attempt(
      job,
      { attempt: 1, lastAttempt: false, timesStarted: 1, sourceWaitsInARow: 0, signal },
      running,
      {
        ...{
          store,
          fetcher: { fetch },
          logger: silentLogger,
          downloads: new RunningDownloads(() => 0),
          onServed: () => undefined,
          traceTry: () => undefined,
        },
        ...{ publish: (event: WorkerEvent) => void events.push(event), flush: () => Promise.resolve() },
      },
    ).run();
    running.end();
    expect(result).toEqual({ do: 'done' });
    return events.find((event) => event.type === 'download.finished');
  }

  const byCid = (cid: string) => store.find({ cid, digests: {} });

  it('EX3 the SHA-256 proves the bytes, and the CID of another file becomes no name of theirs', async () => {
    const other = cidOf(bytesOf(MIB, 'another file'), { profile: 'unixfs-v1-2025' });
    expect(await attempt(other)).toMatchObject({ sha256: file.sha256, cid: null, verified: true });
    expect(await byCid(other)).toBeUndefined();
    expect((await store.find({ digests: { sha256: file.sha256 } }))?.cid).toBeUndefined();
  });

  it('a CID to which the bytes lead when they are cut in the usual way is proven, and names them', async () => {
    const cid = cidOf(file.bytes, { profile: 'unixfs-v1-2025' });
    expect(await attempt(cid)).toMatchObject({ sha256: file.sha256, cid });
    expect(await byCid(cid)).toMatchObject({ sha256: file.sha256, cid });
    expect(await storeLeafTables(store, silentLogger).load(cid)).toBeDefined();
  });
});
