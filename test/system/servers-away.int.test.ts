import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import { startPostgres } from '#embedded/postgres';
import { startRedis } from '#embedded/redis';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { testCacheDir } from '../helpers/services.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const AWAY_MS = 10_000;

type Server = Awaited<ReturnType<typeof startRedis>>;

describe('a server that goes away for ten seconds while a file moves', () => {
  const file = sampleFile('big.bin', 200 * MIB);
  let folder: string;
  let origin: Origin;
  let system: System;
  let servers: { redis: Server; postgres: Server };

  const redis = (port?: number) => startRedis(settings('redis', port));
  const postgres = (port?: number) => startPostgres(settings('postgres', port));
  const settings = (name: string, port: number | undefined) => ({
    dataDir: join(folder, name),
    cacheDir: testCacheDir(),
    logger: silentLogger,
    ...(port === undefined ? {} : { port }),
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-away-'));
    origin = await startOrigin(hubOf([file]), [], { bytesPerSecond: 20 * MIB });
    servers = { redis: await redis(), postgres: await postgres() };
    system = await startSystem({ origin, redisUrl: servers.redis.url, databaseUrl: servers.postgres.url });
  });

  afterEach(async () => {
    await system.stop();
    await origin.close();
    await servers.redis.stop();
    await servers.postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const startTransfer = async (): Promise<string> => {
    await system.client.publishVersion(sampleManifest('sample', [file]));
    const { downloads } = await system.client.createDownloads({ model: 'sample', host: 'host-a' });
    const sent = (): number => origin.requests.reduce((sum, request) => sum + request.bytesSent, 0);
    await until(() => sent() > 0.1 * file.content.size, { what: 'bytes to arrive' });
    return downloads[0]!.id;
  };

  const expectWhole = async (id: string): Promise<void> => {
    const done = await system.awaitDownload(id, (download) => download.status === 'success');
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
  };

  it('I02 Redis away: nothing is lost, the download ends as success', async () => {
    const id = await startTransfer();
    const { port } = servers.redis;
    await servers.redis.stop();
    await pause(AWAY_MS);
    servers.redis = await redis(port);
    await expectWhole(id);
  });

  it('J02 Postgres away: nothing is lost, the download ends as success', async () => {
    const id = await startTransfer();
    const { port } = servers.postgres;
    await servers.postgres.stop();
    await pause(AWAY_MS);
    servers.postgres = await postgres(port);
    await expectWhole(id);
  });
});
