import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

describe('an origin that asks one host of a fleet to come later', () => {
  const refused = sampleFile('refused.bin', MIB, 'refused');
  const slow = sampleFile('slow.bin', 64 * MIB, 'slow');
  const wanted = sampleFile('wanted.bin', 4 * MIB, 'wanted');
  const dag = makeBlocks(wholeContent(wanted.content), { profile: 'unixfs-v1-2025' });
  let origin: Origin;
  let other: Origin;
  let system: System;

  beforeAll(async () => {
    const files = { [refused.path]: refused.content };
    origin = await startOrigin({ files, ipfs: { [dag.cid]: wanted.content }, blocks: dag.blocks });
    other = await startOrigin({ files: { [slow.path]: slow.content } }, [], { bytesPerSecond: 64 * KIB });
    origin.rules.push({ path: refused.path, fault: { do: 'status', status: 429, retryAfterS: 120 } });
    const env = { HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    system = await startSystem({ enrol: true, hosts: ['asked', 'told'], origin, env });
    await system.awaitHosts(2);
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await other.close();
  });

  async function order(
    host: string,
    { path, sha256, content }: SampleFile,
    at?: Origin,
    cid?: string,
  ): Promise<string> {
    const sources = at === undefined ? [] : [{ kind: 'mirror' as const, url: `${at.url}/files/${path}` }];
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources }];
    return (await system.client.createDownloads({ files, host })).downloads[0]!.id;
  }

  it('L16 is asked by no host for any file until then', async () => {
    // A host learns of pauses while it fetches something.
    await order('told', slow, other);
    await until(() => other.requests.length > 0, { what: 'a host fetches from another server' });
    const first = await order('asked', refused, origin);
    await system.awaitDownload(first, ({ status }) => status === 'paused');
    const isTold = async () => (await system.logOf('worker-told')).includes('it asked another host of the fleet');
    await until(isTold, { what: 'the other host was told' });
    const second = await order('told', wanted, undefined, dag.cid);
    const waiting = await system.awaitDownload(second, ({ status }) => status === 'paused' || status === 'success');
    expect(waiting).toMatchObject({ status: 'paused' });
    expect(origin.requests.filter(({ path }) => !path.includes(refused.path))).toEqual([]);
  });
});
