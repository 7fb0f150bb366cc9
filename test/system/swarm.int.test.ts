import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { privateRedis, testRedis, type PrivateRedis, type TestRedis } from '../helpers/redis.ts';
import { sampleFile, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

const HOSTS = ['swarm-1', 'swarm-2', 'swarm-3', 'swarm-4', 'swarm-5'];

/** A file whose DAG the origin has as well. */
interface SharedFile extends SampleFile {
  readonly cid: string;
}

describe('enrolled workers that fetch one file', () => {
  const made = ['quiet', 'api-gone', 'next', 'flushed'].map((seed) => {
    const file = sampleFile(`${seed}.bin`, 24 * MIB + 7, seed);
    return { file, dag: makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' }) };
  });
  const [quiet, apiGone, next, flushed] = made.map(({ file, dag }): SharedFile => ({ ...file, cid: dag.cid })) as [
    SharedFile,
    SharedFile,
    SharedFile,
    SharedFile,
  ];
  let server: PrivateRedis;
  let redis: TestRedis;
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    server = await privateRedis();
    redis = testRedis(server.url);
    const ipfs = Object.fromEntries(made.map(({ file, dag }) => [dag.cid, file.content]));
    const blocks = new Map(made.flatMap(({ dag }) => [...dag.blocks]));
    origin = await startOrigin({ ipfs, blocks }, [], { bytesPerSecond: 2 * MIB });
    const env = {
      // Other hosts read with tokens of the API alone.
      HAULIER_SERVE_TOKENS: 'of-clients',
      HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8',
      HAULIER_CONCURRENCY: '1',
    };
    const apiEnv = { HAULIER_SILENT_AFTER: '5s', HAULIER_SWEEP_EVERY: '500ms' };
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, redisUrl: server.url, env, apiEnv });
    await system.awaitHosts(HOSTS.length);
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await redis.cleanup();
    await server.end();
  });

  /** Bytes of the file and of its leaves that the origin sent, in copies. */
  const copiesOf = ({ cid, content }: SharedFile): number =>
    origin.requests.filter(({ path }) => path.includes(cid)).reduce((sum, { bytesSent }) => sum + bytesSent, 0) /
    content.size;

  async function order({ path, sha256, cid, content }: SharedFile): Promise<string[]> {
    const files = [{ path, sha256, cid, sizeBytes: content.size, sources: [] }];
    const created = await Promise.all(HOSTS.map((host) => system.client.createDownloads({ files, host })));
    return created.map(({ downloads }) => downloads[0]!.id);
  }

  async function expectAll(ids: readonly string[], file: SharedFile): Promise<void> {
    for (const id of ids) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success' || status === 'failed');
      expect(done).toMatchObject({ status: 'success', sha256: file.sha256 });
      expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    }
  }

  /** Told by the hosts themselves, because the API is away. */
  async function isPublishedByAll(): Promise<boolean> {
    const logs = await Promise.all(HOSTS.map((host) => system.logOf(`worker-${host}`)));
    return logs.every((log) => log.split('\n').some((line) => line.includes(next.path) && line.includes('published')));
  }

  const untilHalf = (file: SharedFile) => until(() => copiesOf(file) > 0.4, { what: `${file.path} is on its way` });

  it('CH6 N6 N8 ask the origin once for each piece, and the API tells who has what', async () => {
    const ids = await order(quiet);
    await untilHalf(quiet);
    const during = await until(
      async () => {
        const swarm = await system.client.getSwarm(quiet.cid);
        return swarm.hosts.length === HOSTS.length ? swarm : undefined;
      },
      { what: 'every host is in the swarm' },
    );
    expect(during).toMatchObject({ pieces: 25, pieceBytes: MIB });
    expect(during.hosts.map(({ host }) => host).sort()).toEqual(HOSTS);
    await expectAll(ids, quiet);
    expect(copiesOf(quiet)).toBeLessThanOrEqual(1.05);
  });

  it('L28 N6 all finish when the API is killed in the middle, and share what they begin meanwhile', async () => {
    const ids = await order(apiGone);
    const later = await order(next);
    await untilHalf(apiGone);
    await system.kill(system.api);
    await until(isPublishedByAll, { what: 'every host has the next file' });
    // Five, where each fetches it for itself.
    expect(copiesOf(next)).toBeLessThan(4.5);
    await system.startApi();
    await system.awaitReady();
    await expectAll(ids, apiGone);
    await expectAll(later, next);
  });

  it('L28 I03 N6 all finish when Redis is flushed in the middle', async () => {
    const ids = await order(flushed);
    await untilHalf(flushed);
    await redis.redis.flushall();
    await expectAll(ids, flushed);
  });
});
