import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { failuresOf, fileOf, obtaining, type TestFile } from '../helpers/obtaining.ts';
import { bytesOf } from '../helpers/transfer-kit.ts';
import { installGateway, startGateway, type RunningGateway } from './installed-gateway.ts';

expectNoLeaks();
const bench = obtaining();
const whyNot = await installGateway();
const test = whyNot === undefined ? it : it.skip;
const PATIENCE = { headersMs: 10_000, stallMs: 10_000, lowSpeedMs: 10_000 };

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
});

async function serving(...files: TestFile[]): Promise<string> {
  const folder = join(bench.folder, 'blocks');
  await mkdir(folder, { recursive: true });
  for (const { served } of files)
    for (const [cid, block] of served.blocks ?? []) await writeFile(join(folder, cid), block);
  gateway = await startGateway(folder);
  return gateway.url;
}

describe(`another gateway (gateway-lib of web3.storage)${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  test.each([
    ['raw leaves of 256 KiB', { chunkBytes: 256 * KIB }],
    ['the profile of most files in the wild', { profile: 'unixfs-v0-2015' }],
    ['a trickle DAG of dag-pb raw leaves', { chunkBytes: 100 * KIB, leaves: 'pbRaw', layout: 'trickle' }],
    ['leaves of any length', { chunkBytes: [64 * KIB, 200 * KIB, 7] }],
  ] as const)('CH1 gives a file by CID: %s', async (_, layout) => {
    const file = await fileOf(bytesOf(5 * MIB + 777), layout);
    const run = await bench.obtain({ file, gateways: [await serving(file)], timeouts: PATIENCE });
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ verified: 'leaves', outcome: 'primary_success', badLeaves: 0 });
  });

  test('E09 RE2 continues by raw blocks where it answers a range with the whole file', async () => {
    const file = await fileOf(bytesOf(5 * MIB + 777));
    await bench.interruptedAt(2 * MIB, { file, gateways: [''] });
    const run = await bench.obtain({ file, gateways: [await serving(file)], timeouts: PATIENCE });
    expect(run.result).toMatchObject({ verified: 'leaves', resumedBytes: 2 * MIB, badLeaves: 0 });
    expect(run.result?.sources[0]).toMatchObject({ mode: 'blocks' });
  });

  test('E05 HR21 is found out where it has only some of the blocks and pads the rest', async () => {
    const file = await fileOf(bytesOf(3 * MIB));
    const lost = file.table.count - 4;
    const blocks = new Map([...(file.served.blocks ?? [])].filter((_, i) => i !== lost));
    const url = await serving({ ...file, served: { ...file.served, blocks } });
    const mirror = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [url], mirrors: [mirror], timeouts: PATIENCE });
    expect(run.result).toMatchObject({ verified: 'leaves' });
    expect(mirror.requests.length).toBeGreaterThan(0);
    expect(failuresOf(run).length).toBeGreaterThan(0);
  });
});
