import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { Obtained } from '#fetch/obtain';
import { encodeCar } from '#content/dag/car';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import { downloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { openStore } from '#store/open-store';
import { createThrottle } from '#transfer/report/throttle';
import { SourcePlaces } from '../../../../apps/worker/downloads/source-places.ts';
import { createFetcher } from '../../../../apps/worker/downloads/fetcher.ts';
import { storeLeafTables } from '../../../../apps/worker/downloads/leaf-table-cache.ts';
import { TransferLimits } from '../../../../apps/worker/downloads/transfer-limits.ts';
import { expectProves } from '../../../helpers/dag/dag-checks.ts';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { fileOf, obtaining, REPO } from '../../../helpers/obtaining.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();

it.each([0, 1, MIB, 5 * MIB + 77])(
  'a file of %d bytes that a hub gave and a SHA-256 proved has its CID and leaf table in the store',
  async (length) => {
    const bytes = bytesOf(length);
    const file = await fileOf(bytes);
    const hub = await bench.origin(file.served);
    const store = await openStore({ home: join(bench.folder, 'store') });
    const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    const health = new SourceHealth();
    const tables = storeLeafTables(store, silentLogger);
    const layers = ['origin'] as const;
    const { fetch } = createFetcher({
      config: { layers: [...layers], strategy: 'ordered' },
      limits: new TransferLimits({ limitBytesPerSecond: undefined, sourceLimits: new Map() }),
      sourcesOf: (job) =>
        makeSources(job.file, {
          ...{
            gateways: [],
            hfEndpoint: hub.url,
            layers,
            http,
            health,
            gates: new OriginGates(),
            logger: silentLogger,
          },
        }),
      health,
      places: new SourcePlaces(),
      tables,
    });
    const job = downloadJob.payload.parse({
      ...{ version: 1, downloadId: '00000000-0000-4000-8000-000000000000', generation: 1 },
      file: {
        path: file.name,
        digests: { sha256: file.sha256 },
        sources: [{ kind: 'huggingface', repo: REPO, revision: 'main', path: file.name }],
      },
    });
    const throttle = createThrottle(undefined);
    const hooks = { partialPath: bench.partialPath, signal: undefined, onProgress: undefined, onTry: undefined };
    const obtained: Obtained = await fetch(job, { ...hooks, salvage: [], logger: silentLogger, throttle });
    http.close();

    const theirs = makeBlocks(bytes, { profile: 'unixfs-v1-2025' });
    // A digest of nothing needs no request.
    const outcome = bytes.length === 0 ? 'cache_hit' : 'secondary_success';
    expect(obtained).toMatchObject({ verified: 'digest', cid: theirs.cid, outcome });
    expectProves(obtained.table!, bytes);
    expect(encodeCar(theirs.cid, obtained.innerBlocks!).length).toBeGreaterThan(0);
    expect(encodeLeafTable(obtained.table!).length).toBeGreaterThan(0);
    const kept = await tables.load(theirs.cid);
    expect(kept).toMatchObject({ table: obtained.table });
    for (const [cid, block] of kept!.innerBlocks) expect(block).toEqual(new Uint8Array(theirs.blocks.get(cid)!));
    expect(hub.requests.filter(({ path }) => path.includes('ipfs'))).toEqual([]);
  },
);
