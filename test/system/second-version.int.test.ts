import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { bytesOf, sha256Of } from '../helpers/transfer-kit.ts';

const HOSTS = ['host-a', 'host-b'];
const PIECES = 20;

describe('a second version that has most leaves of the first one', () => {
  const first = bytesOf(PIECES * MIB + 7, 'first version');
  /** Four of twenty MiB are new, and those that stay have moved. */
  const second = Buffer.concat([bytesOf(4 * MIB, 'second version'), first.subarray(3 * MIB, 19 * MIB)]);
  const versions = [first, second].map((bytes) => ({ bytes, dag: makeBlocks(bytes, { profile: 'unixfs-v1-2025' }) }));
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    const ipfs = Object.fromEntries(versions.map(({ bytes, dag }) => [dag.cid, bytes]));
    const blocks = new Map(versions.flatMap(({ dag }) => [...dag.blocks]));
    origin = await startOrigin({ ipfs, blocks });
    const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, env });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  async function bring(index: number): Promise<void> {
    const { bytes, dag } = versions[index]!;
    const version = String(index + 1);
    const sha256 = sha256Of(bytes);
    const files = [{ path: 'model.bin', sizeBytes: bytes.length, sha256, cid: dag.cid }];
    await system.client.publishVersion({ name: 'sample', version, files, sources: [] });
    const { downloads } = await system.client.createDownloads({ model: 'sample', version, hosts: HOSTS });
    for (const { id } of downloads) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success' || status === 'failed');
      expect(done).toMatchObject({ status: 'success', sha256 });
      expect(await sha256OfFile(done.path!)).toBe(sha256);
    }
  }

  it('N6 takes from the origin only the leaves that are new', async () => {
    await bring(0);
    await bring(1);
    const { bytes, dag } = versions[1]!;
    const sent = origin.requests
      .filter(({ path }) => path.includes(dag.cid))
      .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent / bytes.length).toBeLessThanOrEqual(0.22);
  });
});
