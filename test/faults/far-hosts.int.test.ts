import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { farUrl, runFar, whyNotFar, type FarEnd, type FarNetwork } from '../helpers/far/far-network.ts';
import { bytesOf, sha256Of } from '../helpers/transfer-kit.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundles/cli/main.js', import.meta.url));
const HOST = 'far.example';
const bytes = bytesOf(2 * MIB + 777);

const folder = await mkdtemp(join(tmpdir(), 'haulier-far-'));
await writeFile(join(folder, 'model.bin'), bytes);
const target = join(folder, 'fetched.bin');
const whyNot = await whyNotFar();
const test = whyNot === '' ? it : it.skip;

afterEach(() => rm(target, { force: true }));
afterAll(() => rm(folder, { recursive: true, force: true }));

const silent = (n: number): string => `2001:db8:99::${n + 1}`;
const far = (n: number): string => `10.99.0.${n + 1}`;

function fetchFrom(network: FarNetwork, nodeOptions: readonly string[]): Promise<FarEnd> {
  const args = ['fetch', farUrl(HOST, 'model.bin'), '--sha256', sha256Of(bytes), '-o', target, '--progress', 'none'];
  return runFar(network, folder, [process.execPath, ...nodeOptions, MAIN, ...args]);
}

async function expectFetched(end: FarEnd): Promise<void> {
  expect(end).toMatchObject({ code: 0 });
  // Compared by digest: Jest would print a difference of megabytes.
  expect(sha256Of(await readFile(target))).toBe(sha256Of(bytes));
}

describe(`a host far away, in a network of its own${whyNot}`, () => {
  test.each([
    [300, 'ipv6first'],
    [601, 'ipv6first'],
    [300, 'ipv4first'],
    [601, 'ipv4first'],
  ])(
    'C15 is fetched from at a round trip of %i ms beside an IPv6 address that never answers, %s',
    async (rttMs, order) => {
      const network = { rttMs, names: { [HOST]: [silent(1), far(1)] } };
      await expectFetched(await fetchFrom(network, [`--dns-result-order=${order}`]));
    },
  );

  test('C15 is fetched from beside several IPv6 addresses that never answer, and several IPv4 addresses', async () => {
    const addresses = [silent(1), silent(2), silent(3), far(1), far(2)];
    await expectFetched(
      await fetchFrom({ rttMs: 500, names: { [HOST]: addresses } }, ['--dns-result-order=ipv4first']),
    );
  });
});
