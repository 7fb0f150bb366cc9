import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const GOOD = ['good-1', 'good-2', 'good-3'];
/** Workers of which one byte of every answer to another host is wrong, or which answer with 2 KiB/s. */
const BAD: Readonly<Record<string, string>> = { 'poison-1': 'poison', 'drip-1': 'drip' };
const HOSTS = [...GOOD, ...Object.keys(BAD)];

const BAD_ANSWERS = new URL('../../dist/bench/swarm/bad-answers.js', import.meta.url).href;

describe('enrolled workers, of which some answer wrongly', () => {
  const made = ['malice', 'killed'].map((seed) => {
    const file = sampleFile(`${seed}.bin`, 16 * MIB + 7, seed);
    const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
    return { ...file, cid, blocks };
  });
  const [malice, killed] = made as [(typeof made)[number], (typeof made)[number]];
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    const ipfs = Object.fromEntries(made.map(({ cid, content }) => [cid, content]));
    const blocks = new Map(made.flatMap((one) => [...one.blocks]));
    origin = await startOrigin({ ipfs, blocks }, [], { bytesPerSecond: 4 * MIB });
    const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    const envOf = (host: string): Record<string, string> =>
      BAD[host] === undefined ? {} : { NODE_OPTIONS: `--import=${BAD_ANSWERS}`, BENCH_ANSWERS: BAD[host] };
    const apiEnv = { HAULIER_SILENT_AFTER: '5s', HAULIER_SWEEP_EVERY: '500ms' };
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, env, envOf, apiEnv });
    const areThere = async () =>
      (await system.client.listHosts()).filter(({ workerVersion }) => workerVersion).length === HOSTS.length;
    await until(areThere, { what: 'all hosts reported', timeoutMs: 90_000 });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  async function order({ path, sha256, cid, content }: typeof malice, hosts: readonly string[]): Promise<string[]> {
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources: [] }];
    const { downloads } = await system.client.createDownloads({ files, hosts: [...hosts] });
    return downloads.map(({ id }) => id);
  }

  async function expectAll(ids: readonly string[], { sha256 }: typeof malice): Promise<void> {
    for (const id of ids) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success' || status === 'failed', 60_000);
      expect(done).toMatchObject({ status: 'success', sha256 });
      expect(await sha256OfFile(done.path!)).toBe(sha256);
    }
  }

  it('L05 L06 L14 N6 no host has a wrong byte, and the host that sends them is quarantined', async () => {
    await expectAll(await order(malice, HOSTS), malice);
    const quarantined = async () => (await system.client.listAudit({ action: 'quarantineHost' })).entries;
    await until(async () => (await quarantined()).length > 0, { what: 'the row of the audit' });
    expect((await quarantined()).map(({ target }) => target)).toEqual(['hosts/poison-1']);
  });

  it('L06 L12 N6 all others finish when a host is killed in the middle', async () => {
    const ids = await order(killed, GOOD);
    const sent = (): number =>
      origin.requests
        .filter(({ path }) => path.includes(killed.cid))
        .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    await until(() => sent() > 0.4 * killed.content.size, { what: 'it is on its way' });
    await system.kill(system.workers.find(({ name }) => name === 'worker-good-1')!);
    const others = await system.client.listDownloads({ id: ids });
    await expectAll(
      others.downloads.filter(({ host }) => host !== 'good-1').map(({ id }) => id),
      killed,
    );
    expect(sent() / killed.content.size).toBeLessThan(1.6);
  });
});
