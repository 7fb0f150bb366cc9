import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { silentLogger } from '#core/logger';
import { downloadErrorGroups, type ErrorGroupFilter } from '#database/downloads/error-groups';
import { addUpCounts, countDownloads } from '#database/downloads/status-counts';
import type { Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { inTransaction } from '#database/sql/transaction';
import {
  createEmptyDatabase,
  createTestDatabase,
  MIGRATIONS_FOLDER,
  type TestDatabase,
} from '../../../helpers/database.ts';
import { START } from '../fixtures.ts';
import { expectKeptFacts } from './kept-facts.ts';

const MIGRATION = '20261130060000_counted_downloads';

/** Rows of some hosts, models, sources and messages. `$1` how many, `$2` their statuses in turn, `$3` a number to begin with. */
const INSERT_SQL = `
  INSERT INTO downloads (host, model, version, path, content_key, file_id, status, error_kind, error, pause_reason, reason, source, created_at, updated_at, completed_at)
  SELECT CASE WHEN n % 5 > 0 THEN 'gpu-' || n % 5 END, 'model-' || n % 2, '1', 'f' || n || '.bin', gen_random_uuid()::text, gen_random_uuid(), s.status,
    CASE WHEN s.status = 'failed' THEN (ARRAY['missing', 'timed-out'])[1 + n % 2] END,
    CASE WHEN s.status = 'failed' THEN 'f' || n || '.bin on gpu-' || n % 5 || ': 404 of https://hub.example/a/' || n END,
    CASE WHEN s.status = 'paused' THEN (ARRAY['requested', 'disk_full'])[1 + n % 2] END, CASE WHEN s.status = 'paused' THEN n || ' MB free' END,
    CASE WHEN n % 3 > 0 THEN 'https://hub-' || n % 3 || '.example' END, $4, $4, CASE WHEN s.status = 'failed' THEN $4::timestamptz + n * interval '1 second' END
  FROM generate_series($3::int, $3::int + $1::int - 1) n, LATERAL (SELECT ($2::text[])[1 + n % cardinality($2::text[])] AS status) s`;

const change = fc.record({
  what: fc.constantFrom('insert', 'move', 'reword', 'delete', 'add up'),
  status: fc.constantFrom(...DOWNLOAD_STATUSES),
  rows: fc.integer({ min: 1, max: 12 }),
  part: fc.integer({ min: 0, max: 3 }),
  rollsBack: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer One> ? One : never;

describe('facts that are kept beside the downloads', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  let next = 1;
  const insert = (rows: number, statuses: readonly string[], into = database): Promise<unknown> =>
    into.pool.query(INSERT_SQL, [rows, statuses, (next += rows) - rows, START]);

  /** Rows of one part, so that changes at the same time touch different rows and none waits for a deadlock. */
  async function make({ what, status, rows, part, rollsBack }: Change): Promise<void> {
    if (what === 'insert') return void (await insert(rows, [status, 'failed', 'success']));
    if (what === 'add up') return addUpCounts(database, 0);
    const which = `hashtext(id::text) & 3 = ${part}`;
    const sql = {
      move: `UPDATE downloads SET status = $1, error = 'the disk of ' || coalesce(host, '') || ' is full, ' || path WHERE ${which}`,
      reword: `UPDATE downloads SET source = 'https://other.example', error = $1 WHERE ${which}`,
      delete: `DELETE FROM downloads WHERE ${which} AND status = $1`,
    }[what];
    const undone = new Error('rolled back');
    await inTransaction(database, async (client) => {
      await client.query(sql, [status]);
      if (rollsBack) throw undone;
    }).catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  }

  it('are those of the rows after changes of many at once, of which some are rolled back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 6 }), async (turns) => {
        for (const turn of turns) {
          const parts = new Set<number>();
          const apart = turn.filter(({ part }) => !parts.has(part) && parts.add(part));
          await Promise.all(apart.map(make));
        }
        await expectKeptFacts(database);
      }),
      { numRuns: 20 },
    );
  });

  it('add up to one row for each status, and only when there are many', async () => {
    await insert(30, DOWNLOAD_STATUSES);
    await database.pool.query(`UPDATE downloads SET status = 'cancelled'`);
    const noted = async (): Promise<number> =>
      (await database.pool.query<{ n: number }>('SELECT count(*) AS n FROM download_counts')).rows[0]!.n;
    const before = await noted();
    expect(before).toBeGreaterThan(DOWNLOAD_STATUSES.length);
    await addUpCounts(database);
    expect(await noted()).toBe(before);
    await addUpCounts(database, 1);
    expect(await noted()).toBe(DOWNLOAD_STATUSES.length);
    expect(await countDownloads(database)).toMatchObject({ cancelled: 30, failed: 0, pending: 0 });
  });

  it('begin with what is there when they are introduced', async () => {
    const empty = await createEmptyDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    try {
      await cp(MIGRATIONS_FOLDER, folder, { recursive: true, filter: (path) => !path.includes(MIGRATION) });
      await migrate(empty.database, folder, silentLogger);
      await insert(40, DOWNLOAD_STATUSES, empty.database);
      const { applied } = await migrate(empty.database, MIGRATIONS_FOLDER, silentLogger);
      expect(applied).toEqual([MIGRATION]);
      await expectKeptFacts(empty.database);
      expect(await countDownloads(empty.database)).toMatchObject({ failed: expect.any(Number) });
    } finally {
      await empty.drop();
      await rm(folder, { recursive: true });
    }
  });

  it('give the same groups of errors as the downloads themselves', async () => {
    await insert(200, ['failed', 'paused', 'failed', 'success', 'pending']);
    const filters: Partial<ErrorGroupFilter>[] = [
      ...[
        {},
        { statuses: ['paused'] as const },
        { statuses: ['failed', 'paused'] as const },
        { model: 'model-1', version: '1' },
      ],
      ...[{ host: 'gpu-2' }, { since: new Date(START.getTime() + 100_000) }, { limit: 2 }, { version: randomUUID() }],
    ];
    for (const filter of filters) {
      const whole = { statuses: ['failed'] as const, limit: 100, ...filter };
      const groups = await downloadErrorGroups(database, whole);
      expect([filter, groups]).toEqual([filter, await rawGroups(whole)]);
    }
  });

  /** Each group by a sum over all downloads. */
  async function rawGroups({ statuses, model, version, host, since, limit }: ErrorGroupFilter): Promise<unknown[]> {
    const sql = `SELECT reason, source, message, count(*) AS count, min(at) AS "firstAt", max(at) AS "lastAt",
        (array_agg(text ORDER BY at DESC, id))[1] AS sample, (array_agg(id ORDER BY at DESC, id))[1] AS "downloadId",
        coalesce((array_agg(DISTINCT host) FILTER (WHERE host IS NOT NULL))[1:10], '{}') AS hosts
      FROM (
        SELECT d.id, d.host, coalesce(d.error_kind, d.pause_reason, d.status) AS reason, d.source, coalesce(d.error, d.reason, '') AS text,
          haulier_alike(haulier_unnamed(coalesce(d.error, d.reason, ''), d.path, d.host)) AS message, coalesce(d.completed_at, d.updated_at) AS at
        FROM downloads d WHERE d.status = ANY($1::text[]) AND d.pause_reason IS DISTINCT FROM 'requested' AND ($2::text IS NULL OR d.model = $2)
          AND ($3::text IS NULL OR d.version = $3) AND ($4::text IS NULL OR d.host = $4)
      ) f WHERE $5::timestamptz IS NULL OR at >= $5
      GROUP BY 1, 2, 3 ORDER BY 4 DESC, 6 DESC, 1, 3, 2 LIMIT $6`;
    const given = [statuses, model, version, host, since, limit].map((value) => value ?? null);
    return (await database.pool.query<object>(sql, given)).rows;
  }

  it('are read without the table of downloads: while another transaction holds it, its statuses are counted', async () => {
    await insert(7, DOWNLOAD_STATUSES);
    await inTransaction(database, async (client) => {
      await client.query('LOCK TABLE downloads IN ACCESS EXCLUSIVE MODE');
      expect(await countDownloads(database)).toMatchObject({ failed: 1, success: 1 });
    });
  });
});
