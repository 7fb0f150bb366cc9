import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RolloutModel } from '#core/rollout/rollout-spec';
import { planBulkAction } from '#database/downloads/bulk-queries';
import { downloadErrorGroups } from '#database/downloads/error-groups';
import { presentBytes } from '#database/rollouts/plan-queries';
import { coverageByLabels, coverageOf } from '#database/models/coverage-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { plansOf } from '../explain.ts';

/** Statements that would read a whole table of a large fleet, were it not for an index or a table that is kept for them. */
describe('plans of statements', () => {
  let made: TestDatabase;
  beforeAll(async () => {
    made = await createTestDatabase(1);
    await made.database.pool.query(`
      INSERT INTO downloads (host, model, version, path, content_key, file_id, status, created_at, updated_at)
      SELECT 'gpu-' || n, 'm', '1', 'f.bin', 'k', gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'failed' ELSE 'success' END, now(), now()
      FROM generate_series(1, 500) n`);
    await made.database.pool.query('VACUUM (ANALYZE) downloads, download_failures');
  });
  afterAll(() => made.drop());

  it('groups of errors read what is kept of failures, and single downloads by their id', async () => {
    const [plan] = await plansOf(made.database, (database) =>
      downloadErrorGroups(database, { statuses: ['failed'], limit: 50 }),
    );
    expect(plan).toContain('on download_failures');
    expect(plan!.match(/on downloads d.*/g)).toHaveLength(1);
    expect(plan).toContain('Index Cond: (id = m.id)');
  });

  it('the coverage of a model is read from its index alone', async () => {
    const plans = await plansOf(made.database, async (database) => {
      await coverageOf(database, 'm');
      await coverageByLabels(database, 'm', '1');
    });
    for (const plan of plans) expect(plan).toContain('Index Only Scan using downloads_coverage_idx');
    expect(plans).toHaveLength(2);
  });

  it('what hosts have of a model is read host by host', async () => {
    const [plan] = await plansOf(made.database, (database) =>
      presentBytes(database, [{ name: 'm', version: '1' }] as RolloutModel[], ['gpu-1', 'gpu-2']),
    );
    expect(plan).toMatch(
      /downloads_coverage_idx.*\n *Index Cond: .*model = m.name.*version = m.version.*host = h.host/,
    );
  });

  it('a retry of all failed downloads looks for a newer one of the same file on the same host alone', async () => {
    const [plan] = await plansOf(made.database, (database) =>
      planBulkAction(database, 'retry', { status: ['failed'] }),
    );
    expect(plan).toMatch(
      /Index Cond: .*content_key = d.content_key.*COALESCE\(host, ''::text\) = COALESCE\(d.host, ''::text\)/,
    );
  });
});
