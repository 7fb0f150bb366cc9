import { DAY_MS } from '#core/units';
import type { Database } from '#database/sql/connect';

const GATEWAYS = 4;

/** Rows as workers report them: five sources of two layers, one in ten fails, durations over four decades. */
const rowsSql = (count: string, from: string, spreadMs: string): string => `
  SELECT (a.at AT TIME ZONE 'UTC')::date AS day, gen_random_uuid() AS download_id, 1 AS generation, 1 AS attempt, 0 AS sequence,
    a.at, 'gpu-' || n % 1000 AS host, 'whisper-base' AS model, 'stt' AS model_type,
    CASE WHEN n % ${GATEWAYS + 1} = 0 THEN 'huggingface' ELSE 'ipfs' END AS layer,
    CASE WHEN n % ${GATEWAYS + 1} = 0 THEN 'huggingface' ELSE 'ipfs-gateway' END AS kind,
    'https://source-' || n % ${GATEWAYS + 1} || '.example' AS source,
    CASE WHEN n % 10 = 0 THEN 'failure' ELSE 'success' END AS status, (10 ^ (1 + 4 * random()))::int AS latency_ms,
    1000000 AS bytes, 2000000 AS total_bytes, CASE WHEN n % 10 = 0 THEN 'timed-out' END AS error_kind, NULL AS error_message,
    'configured 1st' AS reason, 'https://source-' || n % ${GATEWAYS + 1} || '.example' AS origin, 1000000 AS committed_bytes
  FROM generate_series(1, ${count}) n
  CROSS JOIN LATERAL (SELECT ${from} + random() * ${spreadMs} * interval '1 millisecond' AS at) a`;

const COLUMNS = `day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source, status, latency_ms,
  bytes, total_bytes, error_kind, error_message, reason, origin, committed_bytes`;

export interface FillOptions {
  readonly tries: number;
  readonly days: number;
  readonly now: Date;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Writes the tries of each day, with their roll-ups. */
export async function fillTries({ pool }: Database, { tries, days, now, say, signal }: FillOptions): Promise<void> {
  for (let day = days; day > 0; day -= 1) {
    signal.throwIfAborted();
    const from = new Date(now.getTime() - day * DAY_MS);
    const sql = `INSERT INTO tries (${COLUMNS}) ${rowsSql('$1', '$2::timestamptz', '$3')}`;
    await pool.query(sql, [Math.round(tries / days), from, DAY_MS]);
    if (day % 5 === 1) say(`  tries of ${days - day + 1} of ${days} days`);
  }
  await pool.query('ANALYZE tries; ANALYZE try_hours');
}

/** Makes rows of now in a table and in a file of PostgreSQL, and an empty table like that of the tries. */
export async function stagedTries({ pool }: Database, count: number, path: string, now: Date): Promise<void> {
  await pool.query('DROP TABLE IF EXISTS staged_tries, bare_tries; CREATE TABLE bare_tries (LIKE tries INCLUDING ALL)');
  const rows = rowsSql(String(count), `'${now.toISOString()}'::timestamptz`, '1000');
  await pool.query(`CREATE TABLE staged_tries AS SELECT row_number() OVER () AS place, r.* FROM (${rows}) r`);
  await pool.query('ALTER TABLE staged_tries ADD PRIMARY KEY (place); ANALYZE staged_tries');
  await pool.query(`COPY (SELECT ${COLUMNS} FROM staged_tries) TO '${path}'`);
}

/** Reads the file into the table without roll-ups. */
export const copyTries = async ({ pool }: Database, path: string): Promise<void> =>
  void (await pool.query(`COPY bare_tries (${COLUMNS}) FROM '${path}'`));

/** Stores the staged rows with their roll-ups, a batch in each transaction. */
export async function insertTries({ pool }: Database, count: number, batch: number): Promise<void> {
  const sql = `INSERT INTO tries (${COLUMNS}) SELECT ${COLUMNS} FROM staged_tries WHERE place > $1 AND place <= $2
    ORDER BY download_id ON CONFLICT DO NOTHING`;
  for (let from = 0; from < count; from += batch) await pool.query(sql, [from, from + batch]);
}
