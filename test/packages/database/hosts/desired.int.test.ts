import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { insertDownloads, type DownloadOrder } from '#database/downloads/insert-downloads';
import { applyEvents } from '#database/history/event-queries';
import { desiredOn, hostByName } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import {
  createEmptyDatabase,
  createTestDatabase,
  MIGRATIONS_FOLDER,
  type TestDatabase,
} from '../../../helpers/database.ts';
import { at, batch, file, inventory, SHA256 } from '../fixtures.ts';

describe('the desired state of a host', () => {
  let made: TestDatabase;
  let database: Database;
  let host: string;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterAll(() => made.drop());
  beforeEach(() => {
    host = `gpu-${randomUUID()}`;
  });

  const ask = (version: string, seconds: number, more: Partial<DownloadOrder> = {}) =>
    insertDownloads(
      database,
      {
        hosts: [host],
        files: [file('a.onnx'), file('b.onnx')],
        model: { name: 'whisper', type: 'stt', version },
        ...more,
      },
      { finishedOn: more.hosts ?? [host] },
      at(seconds),
    );
  const set = (status: string, version: string, path = '%') =>
    database.pool.query(
      `UPDATE downloads SET status = $1, hash = $5, completed_at = $6, event_at = $6 WHERE host = $2 AND version = $3 AND path LIKE $4`,
      [status, host, version, path, SHA256, at(0)],
    );

  it('N60 is one version of each model, by the last request, and says how its files stand', async () => {
    await ask('1', 10);
    await ask('2', 20);
    await ask('9', 15, { model: { name: 'other', type: 'stt', version: '9' } });
    await set('success', '2', 'a.onnx');
    expect(await desiredOn(database, host)).toMatchObject([
      { model: 'other', version: '9', decidedAt: at(15), rolloutId: null, files: 2, presentFiles: 0 },
      { model: 'whisper', version: '2', decidedAt: at(20), files: 2, presentFiles: 1, cancelledFiles: 0 },
    ]);
    await set('cancelled', '2', 'b.onnx');
    expect(await desiredOn(database, host)).toMatchObject([{ model: 'other' }, { version: '2', cancelledFiles: 1 }]);
  });

  it('N60 is not changed by a decision that was made before, and takes none for the pool', async () => {
    const rolloutId = randomUUID();
    await ask('2', 20);
    await ask('1', 30, { decision: { rolloutId, at: at(19) } });
    expect(await desiredOn(database, host)).toMatchObject([{ version: '2', rolloutId: null }]);
    await ask('1', 40, { decision: { rolloutId, at: at(20) } });
    expect(await desiredOn(database, host)).toMatchObject([{ version: '1', rolloutId, decidedAt: at(20) }]);
    await ask('3', 50, { hosts: [null] });
    const pool = await database.pool.query(`SELECT 1 FROM desired_models WHERE version = '3'`);
    expect(pool.rowCount).toBe(0);
  });

  it('N25 is what old versions are told from: asked for again, an earlier version is the wanted one', async () => {
    await ask('1', 10);
    await set('success', '1');
    await ask('2', 20);
    await set('success', '2');
    await ask('1', 30);
    const entry = { sha256: SHA256, cid: null, sizeBytes: 1000, model: 'whisper', state: 'valid' as const };
    const held = ['1', '2'].flatMap((version) => ['a.onnx', 'b.onnx'].map((path) => ({ ...entry, version, path })));
    await applyEvents(database, [batch([inventory(100, held)], { host })], at(100));
    const { surplus } = (await hostByName(database, host))!;
    expect(surplus).toMatchObject({ old: 2, extra: 0 });
    expect(surplus.files!.map(({ version }) => version)).toEqual(['2', '2']);
  });
});

describe('the migration to desired state', () => {
  it('N60 takes from the downloads of before the version that was asked for last', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'haulier-migrations-'));
    const made = await createEmptyDatabase(1);
    try {
      for (const name of await readdir(MIGRATIONS_FOLDER))
        if (name < '20261130010000') await cp(join(MIGRATIONS_FOLDER, name), join(folder, name), { recursive: true });
      await migrate(made.database, folder, silentLogger);
      const row = `INSERT INTO downloads (host, model, version, path, content_key, file_id, status, created_at, updated_at, asked_at)
        VALUES ($1, 'm', $2, 'a', $3, gen_random_uuid(), $4, $5, $5, $6)`;
      const rows = [
        ['h1', '1', 'success', at(1), at(30)],
        ['h1', '2', 'success', at(2), null],
        ['h1', '3', 'cancelled', at(40), null],
        [null, '4', 'success', at(5), null],
        ['h2', '2', 'failed', at(3), null],
      ] as const;
      for (const [host, version, status, created, asked] of rows)
        await made.database.pool.query(row, [host, version, randomUUID(), status, created, asked]);
      await migrate(made.database, MIGRATIONS_FOLDER, silentLogger);
      const sql = 'SELECT host, version, decided_at AS at, rollout_id AS rollout FROM desired_models ORDER BY host';
      expect((await made.database.pool.query(sql)).rows).toEqual([
        { host: 'h1', version: '1', at: at(30), rollout: null },
        { host: 'h2', version: '2', at: at(3), rollout: null },
      ]);
    } finally {
      await made.drop();
      await rm(folder, { recursive: true });
    }
  });
});
