import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';

/** What RE13 names, in the words of the database. */
const COLUMNS = {
  cids: [
    ...['cid', 'model', 'type', 'hash', 'gateway', 'cached_at', 'last_accessed_at', 'success_count', 'failure_count'],
  ],
  downloads: [
    ...['cid', 'published_path', 'path', 'status', 'downloaded_bytes', 'total_bytes', 'error', 'started_at'],
    ...['completed_at', 'attempts', 'last_attempt_at', 'current_size', 'hash'],
  ],
  tries: [
    ...['at', 'model_type', 'layer', 'source', 'status', 'latency_ms', 'bytes', 'total_bytes', 'error_kind'],
    ...['error_message', 'day'],
  ],
};

describe('the tables', () => {
  let made: TestDatabase;
  beforeAll(async () => {
    made = await createTestDatabase(1);
  });
  afterAll(() => made.drop());

  const query = async <Row extends object>(sql: string, parameters: unknown[] = []): Promise<Row[]> =>
    (await made.database.pool.query<Row>(sql, parameters)).rows;

  it.each(Object.entries(COLUMNS))('RE13 ME1 %s has every column that is asked for', async (table, columns) => {
    const sql = 'SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1';
    const names = (await query<{ name: string }>(sql, [table])).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(columns));
  });

  it('RE13 a CID has one row', async () => {
    const insert = `INSERT INTO cids (cid, cached_at, last_accessed_at) VALUES ('bafy', now(), now())`;
    await query(insert);
    await expect(query(insert)).rejects.toMatchObject({ code: '23505' });
  });

  it.each([
    ['a CID by its value', `SELECT * FROM cids WHERE cid = 'x'`, /Index.*cids_pkey/],
    [
      'CIDs by model and type, newest first',
      `SELECT * FROM cids WHERE model = 'm' AND type = 't' ORDER BY cached_at DESC LIMIT 1`,
      /Index Scan using cids_model_type_idx/,
    ],
    ['a download by id', `SELECT * FROM downloads WHERE id = '${randomUUID()}'`, /Index Scan using downloads_pkey/],
    [
      'downloads by CID',
      `SELECT * FROM downloads WHERE cid = 'x' ORDER BY created_at DESC, id DESC LIMIT 50`,
      /Index Scan using downloads_cid_idx/,
    ],
    [
      'downloads by status',
      `SELECT * FROM downloads WHERE status = 'failed' ORDER BY created_at DESC, id DESC LIMIT 50`,
      /Index Scan using downloads_status_idx/,
    ],
  ])('RE13 RE14 finds %s by an index, without sorting', async (_what, sql, index) => {
    const client = await made.database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off',
      );
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(index);
      expect(plan).not.toMatch(/Sort|Seq Scan/);
      await client.query('ROLLBACK');
    } finally {
      client.release();
    }
  });

  it('ME1 tries are kept by the day', async () => {
    const [found] = await query<{ strategy: string; key: string }>(
      `SELECT p.partstrat AS strategy, pg_get_partkeydef(p.partrelid) AS key FROM pg_partitioned_table p
       WHERE p.partrelid = 'tries'::regclass`,
    );
    expect(found).toEqual({ strategy: 'r', key: 'RANGE (day)' });
  });
});
