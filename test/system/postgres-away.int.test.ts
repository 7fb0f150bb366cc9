import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connect } from '#database/sql/connect';
import { startPostgres } from '#embedded/postgres';
import { testCacheDir } from '../helpers/services.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

type Server = Awaited<ReturnType<typeof startPostgres>>;

describe('a Postgres that is down', () => {
  let folder: string;
  let postgres: Server;
  let system: System;

  const start = (port?: number): Promise<Server> =>
    startPostgres({
      dataDir: join(folder, 'postgres'),
      cacheDir: testCacheDir(),
      logger: silentLogger,
      ...(port === undefined ? {} : { port }),
    });
  const again = async (): Promise<void> => {
    postgres = await start(postgres.port);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-away-'));
    postgres = await start();
    system = await startSystem({ hosts: [], databaseUrl: postgres.url });
  });
  afterAll(async () => {
    await system.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const file = (n: number) => ({ path: `part-${n}.bin`, sizeBytes: n, sha256: n.toString(16).padStart(64, '0') });
  const unavailable = {
    status: 503,
    problem: { code: 'unavailable', detail: expect.stringContaining('cannot be reached') },
  };

  it('J01 at a request: 503 that says so, and the same request is taken once it is back', async () => {
    await postgres.stop();
    const body = { files: [file(1)], host: 'host-a' };
    await expect(system.client.createDownloads(body)).rejects.toMatchObject(unavailable);
    await expect(system.client.listDownloads()).rejects.toMatchObject(unavailable);
    const readiness = await system.client.getReadiness();
    expect([readiness.status, readiness.missing.join()]).toEqual(['not_ready', expect.stringContaining('postgres')]);
    expect((await fetch(`${system.apiUrl}/livez`)).status).toBe(200);

    await again();
    const made = await until(() => system.client.createDownloads(body), { what: 'it is taken' });
    expect(made.request).toMatchObject({ created: 1, existing: 0 });
  });

  it('J01 in the middle of a large manifest: all of it is there, or nothing', async () => {
    const files = Array.from({ length: 5000 }, (_, n) => file(n));
    const published = system.client.publishVersion({ name: 'large', version: '1', files }).then(
      () => 'published' as const,
      (error: unknown) => error,
    );
    await postgres.stop();
    const outcome = await published;
    await again();
    const database = connect({ url: postgres.url, poolSize: 1, logger: silentLogger });
    const count = async (table: string): Promise<number> =>
      Number((await database.pool.query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]!.n);
    const counts = [await count('models'), await count('manifests'), await count('manifest_files')];
    await database.close();
    if (outcome === 'published') expect(counts).toEqual([1, 1, 5000]);
    else {
      expect(outcome).toMatchObject({ status: 503 });
      expect([
        [0, 0, 0],
        [1, 1, 5000],
      ]).toContainEqual(counts);
    }
    const repeated = await until(() => system.client.publishVersion({ name: 'large', version: '1', files }), {
      what: 'it is published',
    });
    expect(repeated.fileCount).toBe(5000);
  });

  it('J01 when the API starts: it lives, says what is missing, and works once Postgres is there', async () => {
    await system.kill(system.api);
    await postgres.stop();
    await system.startApi();
    const alive = async (): Promise<boolean> => (await fetch(`${system.apiUrl}/livez`)).ok;
    await until(alive, { what: 'the API listens' });
    const readiness = await system.client.getReadiness();
    expect(readiness.missing.join('\n')).toMatch(/postgres: .+\n?.*database: migrations/s);
    await expect(system.client.listDownloads()).rejects.toMatchObject(unavailable);
    await until(async () => (await system.logOf('api')).includes('postgres is not reachable yet, waiting'), {
      what: 'the log says what it waits for',
    });

    await again();
    await system.awaitReady();
    expect((await system.client.listDownloads()).downloads).toHaveLength(1);
  });
});
