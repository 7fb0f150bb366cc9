import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cancelMissedVersions } from '#database/downloads/missed-versions';
import { insertDownloads } from '#database/downloads/insert-downloads';
import { applyEvents } from '#database/history/event-queries';
import type { Database } from '#database/sql/connect';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, file, started } from '../fixtures.ts';

describe('versions that a host missed', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
    await applyEvents(database, [batch([], { host: 'away' }), batch([], { host: 'here' })], at(0));
    await database.pool.query(`UPDATE hosts SET last_seen_at = $1 WHERE name = 'here'`, [at(1000)]);
  });
  afterEach(() => made.drop());

  const ask = (version: string, seconds: number, host = 'away', name = 'whisper') =>
    insertDownloads(
      database,
      { hosts: [host], files: [file('a.onnx', { sizeBytes: Number(version) })], model: { name, type: 'stt', version } },
      { finishedOn: [] },
      at(seconds),
    );
  const standing = async (host = 'away') => {
    const sql = `SELECT version, status, reason FROM downloads WHERE host = $1 AND model = 'whisper' ORDER BY version`;
    return (await database.pool.query(sql, [host])).rows;
  };
  const cancel = () => cancelMissedVersions(database, at(500), at(2000));

  it('N24 are cancelled while it is away: it gets what was asked for last', async () => {
    await ask('1', 10);
    await ask('2', 20);
    await ask('3', 30);
    await ask('1', 10, 'away', 'other-model');
    expect(await cancel()).toHaveLength(2);
    expect(await standing()).toMatchObject([
      { version: '1', status: 'cancelled', reason: 'version 3 was asked for while the host was away' },
      { version: '2', status: 'cancelled' },
      { version: '3', status: 'pending' },
    ]);
    expect(await cancel()).toEqual([]);
  });

  it('N24 include the version that a later request took back', async () => {
    await ask('1', 10);
    await ask('2', 20);
    await ask('1', 30);
    await cancel();
    expect(await standing()).toMatchObject([
      { version: '1', status: 'pending' },
      { version: '2', status: 'cancelled' },
    ]);
  });

  it('N24 are none on a host that is there, and none that was begun', async () => {
    await ask('1', 10, 'here');
    await ask('2', 20, 'here');
    await ask('1', 10);
    const { rows } = await database.pool.query<{ id: string }>(`SELECT id FROM downloads WHERE host = 'away'`);
    await applyEvents(database, [batch([started(rows[0]!, 15)], { host: 'away' })], at(15));
    await database.pool.query(`UPDATE hosts SET last_seen_at = $1 WHERE name = 'away'`, [at(15)]);
    await ask('2', 20);
    expect(await cancel()).toEqual([]);
    expect(await standing('here')).toMatchObject([{ status: 'pending' }, { status: 'pending' }]);
  });
});
