import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB, SECOND_MS } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

describe('an origin that asks one host of a fleet to come later', () => {
  const refused = sampleFile('refused.bin', MIB, 'refused');
  const small = sampleFile('small.bin', MIB, 'small');
  const wanted = sampleFile('wanted.bin', 4 * MIB, 'wanted');
  const dag = makeBlocks(wholeContent(wanted.content), { profile: 'unixfs-v1-2025' });
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    const files = { [refused.path]: refused.content, [small.path]: small.content };
    origin = await startOrigin({ files, ipfs: { [dag.cid]: wanted.content }, blocks: dag.blocks });
    origin.rules.push({ path: refused.path, fault: { do: 'status', status: 429, retryAfterS: 240 } });
    const env = { HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    system = await startSystem({ enrol: true, hosts: ['asked', 'idle'], origin, env });
    await system.awaitHosts(2);
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  async function order(host: string, { path, sha256, content }: SampleFile, cid?: string): Promise<string> {
    const sources = cid === undefined ? [{ kind: 'mirror' as const, url: `${origin.url}/files/${path}` }] : [];
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources }];
    return (await system.client.createDownloads({ files, host })).downloads[0]!.id;
  }

  it('L16 is asked by no host for any file until then, and the list of sources, the downloads and the swarm show it', async () => {
    await order('asked', refused);
    const waitMs = async (): Promise<number> => {
      const sources = await system.client.listSources();
      return Math.max(
        0,
        ...sources.filter((one) => one.origin === origin.url).map(({ rateBudget }) => rateBudget.waitMs),
      );
    };
    await until(async () => (await waitMs()) > 0, { what: 'the list of sources shows the pause' });
    expect(await waitMs()).toBeGreaterThan(30 * SECOND_MS);

    // It fetches nothing before, and no other host learns of this file.
    const alone = await order('idle', small);
    const why = async () =>
      (await system.client.getDownload(alone)).tries.map(({ errorMessage }) => errorMessage).join();
    await until(async () => /is paused/.test(await why()), { what: 'a try was not made' });
    expect(await why()).toContain('it asked another host of the fleet for a pause');

    // No host has a lease on it yet.
    await order('idle', wanted, dag.cid);
    const shown = async () => (await system.client.getSwarm(dag.cid)).originPausedMs;
    await until(async () => (await shown().catch(unlessUnknown)) > 0, { what: 'the swarm shows it' });
    expect(origin.requests.filter(({ path }) => !path.includes(refused.path))).toEqual([]);
  });

  /** No host has announced the file yet. */
  const unlessUnknown = (error: unknown): number => {
    expect(error).toMatchObject({ status: 404 });
    return 0;
  };
});
