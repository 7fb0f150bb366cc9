import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { sha256Of } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

describe('the order of sources that an admin sets', () => {
  /** What both gateways have, by CID; grows while they run. */
  const ipfs: Record<string, Buffer> = {};
  let gateways: Origin[];
  let system: System;

  beforeAll(async () => {
    gateways = await Promise.all([startOrigin({ ipfs }), startOrigin({ ipfs })]);
    system = await startSystem({
      env: {
        IPFS_GATEWAYS: gateways.map(({ url }) => url).join(','),
        HAULIER_ALLOW_ADDRESSES: gateways.map(({ port }) => `127.0.0.1:${port}`).join(','),
        HAULIER_LAYERS: 'cache,ipfs',
      },
    });
  });
  afterAll(async () => {
    await system.stop();
    await Promise.all(gateways.map((gateway) => gateway.close()));
  });

  const ids = () => gateways.map(({ url }) => Buffer.from(url).toString('base64url')) as [string, string];
  /** Requests for bytes of the file; blocks are asked of any gateway. */
  const askedFor = (cid: string): number[] =>
    gateways.map(
      ({ requests }) =>
        requests.filter(({ path }) => path.startsWith(`/ipfs/${cid}`) && !path.includes('format=raw')).length,
    );
  /** Brings a file that is not there yet. @returns how often each gateway was asked for it */
  async function bringNext(): Promise<number[]> {
    const path = `${Object.keys(ipfs).length}.bin`;
    const content = Buffer.alloc(10 * KIB, path);
    const { cid } = makeBlocks(content, { profile: 'unixfs-v1-2025' });
    ipfs[cid] = content;
    const files = [{ path, cid, sha256: sha256Of(content), sizeBytes: content.byteLength }];
    const { downloads } = await system.client.createDownloads({ files, host: 'host-a' });
    await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success');
    return askedFor(cid);
  }

  it('ME5 M13 is obeyed by a worker that starts later and by one that runs', async () => {
    const known = async () => (await system.client.listSources()).filter(({ layer }) => layer === 'ipfs').length;
    await until(async () => (await known()) === 2, { what: 'the worker reported its gateways' });
    const [first, second] = ids();
    const order = await system.client.setSourceOrder('ipfs', [second, first]);
    await system.kill(system.workers[0]!);
    await system.startWorker('host-a');
    expect(await bringNext()).toEqual([0, 1]);

    await system.client.setSourceOrder('ipfs', [first, second], order.version);
    await until(async () => isDeepStrictEqual(await bringNext(), [1, 0]), { what: 'the running worker has read it' });
    await system.client.setSourceOrder('ipfs', [second]);
    await until(async () => isDeepStrictEqual(await bringNext(), [0, 1]), { what: 'the next order' });
  });
});
