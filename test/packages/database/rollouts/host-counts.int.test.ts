import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { ROLLOUT_HOST_STATES } from '#core/rollout/host-state';
import { addUpHostCounts, hostGroups } from '#database/rollouts/host-counts';
import type { Database } from '#database/sql/connect';
import { inTransaction } from '#database/sql/transaction';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';

const change = fc.record({
  what: fc.constantFrom('insert', 'move', 'progress', 'delete', 'add up'),
  state: fc.constantFrom(...ROLLOUT_HOST_STATES),
  rollout: fc.integer({ min: 0, max: 2 }),
  rows: fc.integer({ min: 1, max: 9 }),
  rollsBack: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer One> ? One : never;

const CHANGES = {
  insert: `INSERT INTO rollout_hosts (rollout_id, host, site, position, state, is_late, total_bytes, updated_at)
    SELECT $1, gen_random_uuid()::text, 'eu', n, $2, n % 2 = 0, 1000 * n, now() FROM generate_series(1, $3::int) n`,
  move: `UPDATE rollout_hosts SET state = $2, failure_class = CASE WHEN position % 2 = 0 THEN 'timed_out' END,
    already_present = position % 3 = 0 WHERE rollout_id = $1 AND position <= $3::int`,
  progress: `UPDATE rollout_hosts SET bytes = bytes + position * 7, bytes_per_second = position WHERE rollout_id = $1 AND state <> $2
    AND position <= $3::int`,
  delete: `DELETE FROM rollout_hosts WHERE rollout_id = $1 AND state = $2 AND position <= $3::int`,
};

const RAW_SQL = `SELECT h.rollout_id AS "rolloutId", h.state, h.is_late AS "isLate",
    h.failure_class IS NOT DISTINCT FROM 'timed_out' AS "isTimedOut", h.already_present AS "alreadyPresent", count(*) AS hosts,
    sum(h.bytes)::bigint AS bytes, sum(h.total_bytes)::bigint AS "totalBytes", sum(h.bytes_per_second)::bigint AS "bytesPerSecond"
  FROM rollout_hosts h WHERE h.rollout_id = ANY($1::uuid[]) GROUP BY 1, 2, 3, 4, 5`;

describe('how many hosts of a rollout stand where', () => {
  const rollouts = [randomUUID(), randomUUID(), randomUUID()];
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = await createTestDatabase();
    database = made.database;
    await database.pool.query(
      `INSERT INTO rollouts (id, models, spec, spec_hash, state, reason, deadline_at, members_at, created_by, created_at, updated_at)
       SELECT id, '[]', '{}', id::text, 'running', '', now(), now(), 'test', now(), now() FROM unnest($1::uuid[]) AS r (id)`,
      [rollouts],
    );
  });
  afterAll(() => made.drop());

  async function make({ what, state, rollout, rows, rollsBack }: Change): Promise<void> {
    if (what === 'add up') return addUpHostCounts(database, 0);
    const undone = new Error('rolled back');
    await inTransaction(database, async (client) => {
      await client.query(CHANGES[what], [rollouts[rollout], state, rows]);
      if (rollsBack) throw undone;
    }).catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  }

  const sorted = (groups: readonly unknown[]): string[] => groups.map((group) => JSON.stringify(group)).sort();

  it('is what their rows say after changes of many at once, of which some are rolled back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), async (turns) => {
        for (const turn of turns) {
          // Of one rollout one change at a time, so that none waits for a deadlock.
          const apart = new Map(turn.map((one) => [one.what === 'add up' ? -1 : one.rollout, one]));
          await Promise.all([...apart.values()].map(make));
        }
        const raw = (await database.pool.query<object>(RAW_SQL, [rollouts])).rows;
        expect(sorted(await hostGroups(database, rollouts))).toEqual(sorted(raw));
      }),
      { numRuns: 25 },
    );
  });

  it('goes with a rollout that is deleted', async () => {
    await make({ what: 'insert', state: 'done', rollout: 0, rows: 5, rollsBack: false });
    expect(await hostGroups(database, [rollouts[0]!])).not.toEqual([]);
    await database.pool.query('DELETE FROM rollouts WHERE id = $1', [rollouts[0]]);
    expect(await hostGroups(database, [rollouts[0]!])).toEqual([]);
    await addUpHostCounts(database, 0);
    const left = await database.pool.query('SELECT FROM rollout_host_counts WHERE rollout_id = $1', [rollouts[0]]);
    expect(left.rowCount).toBe(0);
  });
});
