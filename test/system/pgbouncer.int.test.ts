import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from '#client/client';
import { silentLogger } from '#core/logger';
import { connect, type Database } from '#database/sql/connect';
import { runAsLeader } from '#database/sql/leader';
import { migrate } from '#database/sql/migrate';
import { freePort } from '#os/port';
import { createEmptyDatabase, MIGRATIONS_FOLDER, type TestDatabase } from '../helpers/database.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { startPgBouncer, whyNoPgBouncer, type PgBouncer } from '../helpers/pgbouncer.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { hubOf } from './hub-of.ts';

const whyNot = await whyNoPgBouncer();
const title = 'Postgres behind PgBouncer in transaction mode';

(whyNot === undefined ? describe : describe.skip)(whyNot === undefined ? title : `${title} (no: ${whyNot})`, () => {
  let folder: string;
  let made: TestDatabase;
  let pooler: PgBouncer;
  const databases: Database[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-pgbouncer-'));
    made = await createEmptyDatabase();
    pooler = await startPgBouncer(made.url, folder);
  });
  afterAll(async () => {
    await Promise.all(databases.map((database) => database.close()));
    await pooler.stop();
    await made.drop();
    await rm(folder, { recursive: true, force: true });
  });

  function open(): Database {
    const database = connect({ url: pooler.url, poolSize: 4, logger: silentLogger });
    databases.push(database);
    return database;
  }

  it('J09 migrates when several processes start at the same time, and again', async () => {
    const processes = [open(), open(), open()];
    await Promise.all(processes.map((database) => migrate(database, MIGRATIONS_FOLDER, silentLogger)));
    expect(await migrate(open(), MIGRATIONS_FOLDER, silentLogger)).toEqual({ applied: [] });
  });

  it('J09 has one leader at a time, whichever session each transaction gets', async () => {
    const [one, two] = [open(), open()];
    for (let round = 0; round < 20; round += 1) {
      const inner = await runAsLeader(one, 'sweep', async () => {
        await Promise.all([1, 2].map(() => one.pool.query('SELECT pg_sleep(0.002)')));
        return runAsLeader(two, 'sweep', async () => 'second leader');
      });
      expect(inner).toEqual({ result: undefined });
    }
    expect(await runAsLeader(two, 'sweep', async () => 'free')).toEqual({ result: 'free' });
  });

  describe('with two APIs and a worker', () => {
    const files = Array.from({ length: 6 }, (_, n) => sampleFile(`pooled-${n}.bin`, 64 * 1024, `pooled ${n}`));
    let origin: Origin;
    let system: System;
    beforeAll(async () => {
      origin = await startOrigin(hubOf(files));
      system = await startSystem({ origin, databaseUrl: pooler.url, apiEnv: { HAULIER_SWEEP_EVERY: '500ms' } });
    });
    afterAll(async () => {
      await system.stop();
      await origin.close();
    });

    it('J09 a second API starts, and downloads end as success', async () => {
      const port = await freePort();
      await system.startApi(port);
      await system.awaitReady(`http://127.0.0.1:${port}`);
      const second = createClient({ baseUrl: `http://127.0.0.1:${port}`, token: system.token });
      const ids = await Promise.all(
        files.map(async (file, n) => {
          const client = n % 2 === 0 ? system.client : second;
          await client.publishVersion(sampleManifest(`pooled-${n}`, [file]));
          return (await client.createDownloads({ model: `pooled-${n}`, host: 'host-a' })).downloads[0]!.id;
        }),
      );
      for (const [n, id] of ids.entries()) {
        const done = await system.awaitDownload(id, ({ status }) => status === 'success');
        expect(await sha256OfFile(done.path!)).toBe(files[n]!.sha256);
      }
    });
  });
});
