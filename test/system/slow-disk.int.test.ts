import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const SLOW_DISK = new URL('../helpers/disk/slow-disk.mjs', import.meta.url).href;
/** Bytes per second of the disk of one host: far less than what the origin and the other host send. */
const DISK_RATE = 1.5 * MIB;

const file = sampleFile('slow-disk.bin', 12 * MIB + 3, 'slow-disk');
const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
let origin: Origin;
let system: System;

beforeAll(async () => {
  origin = await startOrigin({ ipfs: { [cid]: file.content }, blocks }, [], { bytesPerSecond: 16 * MIB });
  const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
  const slow = { NODE_OPTIONS: `--import=${SLOW_DISK}`, TEST_DISK_RATE: String(DISK_RATE) };
  const envOf = (host: string): Record<string, string> => (host === 'slow' ? slow : {});
  system = await startSystem({ enrol: true, hosts: ['quick', 'slow'], origin, env, envOf });
  await system.awaitHosts(2);
});
afterAll(async () => {
  await system.stop();
  await origin.close();
});

async function fetchOn(host: string): Promise<void> {
  const { path, sha256, content } = file;
  const files = [{ path, sha256, cid, sizeBytes: content.size, sources: [] }];
  const { downloads } = await system.client.createDownloads({ files, hosts: [host] });
  const isOver = ({ status }: { readonly status: string }): boolean => status === 'success' || status === 'failed';
  expect(await system.awaitDownload(downloads[0]!.id, isOver)).toMatchObject({ status: 'success', sha256 });
}

it('N8 names the disk as what a swarm waits for, where the disk of a worker is slower than all links', async () => {
  await fetchOn('quick');
  await fetchOn('slow');
  const shown = await until(
    async () => {
      const view = await system.client.getSwarm(cid);
      return view.hosts.length === 2 && view.hosts.every(({ doneAt }) => doneAt !== null) ? view : undefined;
    },
    { what: 'the last host said that it has the file' },
  );
  expect(shown.hosts.find(({ host }) => host === 'slow')).toMatchObject({ diskBound: true });
  expect(shown.bottleneck).toBe('disk');
  // The least possible time is that of the disk.
  expect((file.content.size * 1000) / shown.boundMs!).toBeLessThan(1.5 * DISK_RATE);
  expect(shown.timesBound).toBeGreaterThan(0.5);
});
