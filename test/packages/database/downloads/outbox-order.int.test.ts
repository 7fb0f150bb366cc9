import { expect, it } from '@jest/globals';
import { insertDownloads } from '#database/downloads/insert-downloads';
import { unqueuedDownloads } from '#database/downloads/outbox-queries';
import { createTestDatabase } from '../../../helpers/database.ts';
import { at, file } from '../fixtures.ts';

it('I21 reads as many rows as a batch has, not all that wait, before the database has statistics of a large request', async () => {
  const { database, drop } = await createTestDatabase(1);
  try {
    const { pool } = database;
    const hosts = Array.from({ length: 2000 }, (_, index) => `gpu-${index}`);
    await insertDownloads(database, { hosts, files: [file('a.bin')] }, { finishedOn: [] }, at(0));
    const read = async (): Promise<number> => {
      await pool.query('SELECT pg_stat_force_next_flush()');
      const sql = `SELECT idx_tup_read AS count FROM pg_stat_user_indexes WHERE indexrelname = 'downloads_unqueued_idx'`;
      return (await pool.query<{ count: number }>(sql)).rows[0]!.count;
    };
    const inFlight = (await unqueuedDownloads(database, 10)).map(({ id }) => id);
    const before = await read();
    const next = await unqueuedDownloads(database, 10, inFlight);
    expect(next.filter(({ id }) => inFlight.includes(id))).toEqual([]);
    expect(next).toHaveLength(10);
    expect((await read()) - before).toBeLessThan(100);
    expect((await pool.query('SHOW enable_bitmapscan')).rows).toEqual([{ enable_bitmapscan: 'on' }]);
  } finally {
    await drop();
  }
});
