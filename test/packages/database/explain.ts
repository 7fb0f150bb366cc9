import type { Database } from '#database/sql/connect';

/** @returns the plans of the statements of some work, which gets no rows; sequential scans are taken where there is no other way */
export async function plansOf({ pool }: Database, work: (explaining: Database) => Promise<unknown>): Promise<string[]> {
  const client = await pool.connect();
  const plans: string[] = [];
  const query = async (sql: string, given: unknown[]): Promise<{ rows: [] }> => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, given);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    return { rows: [] };
  };
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
    await work({ pool: { query } } as unknown as Database);
    return plans;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}
