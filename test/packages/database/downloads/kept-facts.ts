import { expect } from '@jest/globals';
import { countDownloads } from '#database/downloads/status-counts';
import type { Database } from '#database/sql/connect';

const FAILURES = 'download_id, host, model, version, reason, source, message, at';

/** The numbers by status and the table of failures are what the rows of downloads say. */
export async function expectKeptFacts(database: Database): Promise<void> {
  const rows = async (sql: string): Promise<unknown[]> => (await database.pool.query<object>(sql)).rows;
  const counted = Object.entries(await countDownloads(database)).filter(([, count]) => count !== 0);
  const raw = await rows('SELECT status, count(*) AS count FROM downloads GROUP BY status ORDER BY status');
  expect(counted.map(([status, count]) => ({ status, count })).sort((a, b) => (a.status < b.status ? -1 : 1))).toEqual(
    raw,
  );
  const failures = await rows(`SELECT ${FAILURES} FROM download_failures ORDER BY download_id`);
  const failed = `SELECT f.*, haulier_alike(f.unnamed) AS message FROM failed_downloads f`;
  expect(failures).toEqual(await rows(`SELECT ${FAILURES} FROM (${failed}) f ORDER BY download_id`));
}
