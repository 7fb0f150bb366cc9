import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { freePort } from '#os/port';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';

describe('workers that know each other', () => {
  const file = sampleFile('shared.bin', 5 * MIB + 7, 'shared');
  const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
  const keyOf = (host: string): string => (host === 'host-c' ? 'of-another-site' : 'of-this-site');
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin({ ipfs: { [cid]: file.content }, blocks });
    const ports = { 'host-a': await freePort(), 'host-b': await freePort(), 'host-c': await freePort() };
    const envOf = (host: keyof typeof ports): Record<string, string> => ({
      HAULIER_SERVE_PORT: String(ports[host]),
      HAULIER_SERVE_TOKENS: 'of-clients',
      HAULIER_SITE_KEY: keyOf(host),
      HAULIER_PEERS: Object.values(ports)
        .map((port) => `http://127.0.0.1:${port}`)
        .join(','),
    });
    system = await startSystem({ origin, env: envOf('host-a') });
    await system.startWorker('host-b', envOf('host-b'));
    await system.startWorker('host-c', envOf('host-c'));
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  /** Requests for bytes of the file; nodes of its DAG come from all sources. */
  const asked = (): number =>
    origin.requests.filter(({ path }) => path.startsWith('/ipfs/') && !/=raw/.test(path)).length;

  async function bring(host: string) {
    const files = [{ path: file.path, sha256: file.sha256, cid, sizeBytes: file.content.size, sources: [] }];
    const { downloads } = await system.client.createDownloads({ files, host });
    return system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success' || status === 'failed');
  }

  it('N6 L08 give each other what they have, without a byte from the origin, and nothing to a foreign site', async () => {
    expect(await bring('host-a')).toMatchObject({ status: 'success', outcome: 'primary_success' });
    const before = asked();
    const fromPeer = await bring('host-b');
    expect(fromPeer).toMatchObject({ status: 'success', outcome: 'tertiary_peer_success' });
    expect(await sha256OfFile(fromPeer.path!)).toBe(file.sha256);
    expect(asked()).toBe(before);
    expect(await bring('host-c')).toMatchObject({ status: 'success', outcome: 'primary_success' });
  });
});
