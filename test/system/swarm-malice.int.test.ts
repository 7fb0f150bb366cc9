import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const GOOD = ['good-1', 'good-2', 'good-3'];
/** Workers of which one byte of every answer to another host is wrong, or which answer with 2 KiB/s. */
const BAD: Readonly<Record<string, string>> = { 'poison-1': 'poison', 'drip-1': 'drip' };
const HOSTS = [...GOOD, ...Object.keys(BAD)];

const BAD_ANSWERS = new URL('../../dist/bench/swarm/bad-answers.js', import.meta.url).href;

interface SharedFile extends SampleFile {
  readonly cid: string;
}

describe('enrolled workers, of which some answer wrongly', () => {
  const made = ['malice', 'cut-off', 'killed'].map((seed) => {
    const file = sampleFile(`${seed}.bin`, 16 * MIB + 7, seed);
    const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
    return { ...file, cid, blocks };
  });
  const [malice, cutOff, killed] = [made[0]!, made[1]!, made[2]!];
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
    await system.awaitHosts(HOSTS.length);
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  async function order({ path, sha256, cid, content }: SharedFile, hosts: readonly string[]): Promise<string[]> {
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources: [] }];
    const { downloads } = await system.client.createDownloads({ files, hosts: [...hosts] });
    return downloads.map(({ id }) => id);
  }

  async function expectAll(ids: readonly string[], { sha256 }: SharedFile): Promise<void> {
    for (const id of ids) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success' || status === 'failed');
      expect(done).toMatchObject({ status: 'success', sha256 });
      expect(await sha256OfFile(done.path!)).toBe(sha256);
    }
  }

  it('L05 L06 L14 N6 no host has a wrong byte, and the host that sends them is quarantined', async () => {
    // At first no other host can give it.
    await expectAll(await order(malice, ['poison-1']), malice);
    const others = HOSTS.filter((host) => host !== 'poison-1');
    await expectAll(await order(malice, others), malice);
    const quarantined = async () => (await system.client.listAudit({ action: 'quarantineHost' })).entries;
    await until(async () => (await quarantined()).length > 0, { what: 'the row of the audit' });
    expect((await quarantined()).map(({ target }) => target)).toEqual(['hosts/poison-1']);
  });

  const sentOf = ({ cid }: SharedFile): number =>
    origin.requests.filter(({ path }) => path.includes(cid)).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const untilHalf = (file: SharedFile) =>
    until(() => sentOf(file) > 0.4 * file.content.size, { what: `${file.path} is on its way` });
  const workerOf = (host: string) => system.workers.find(({ name }) => name === `worker-${host}`)!;

  it('L06 L12 N6 all finish when two of three hosts are cut off from everything for a while', async () => {
    const ids = await order(cutOff, GOOD);
    await untilHalf(cutOff);
    const cut = ['good-2', 'good-3'].map((host) => workerOf(host).pid);
    // Whatever is asked of a stopped process gets no answer, as behind a cut network.
    for (const pid of cut) process.kill(pid, 'SIGSTOP');
    const first = (await system.client.listDownloads({ id: ids })).downloads.find(({ host }) => host === 'good-1')!;
    await expectAll([first.id], cutOff);
    for (const pid of cut) process.kill(pid, 'SIGCONT');
    await expectAll(ids, cutOff);
  });

  it('L06 L12 N6 all others finish when a host is killed in the middle', async () => {
    const ids = await order(killed, GOOD);
    await untilHalf(killed);
    await system.kill(workerOf('good-1'));
    const others = await system.client.listDownloads({ id: ids });
    await expectAll(
      others.downloads.filter(({ host }) => host !== 'good-1').map(({ id }) => id),
      killed,
    );
    expect(sentOf(killed) / killed.content.size).toBeLessThan(1.6);
  });
});
