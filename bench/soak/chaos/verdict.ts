import type { Database } from '#database/sql/connect';
import type { ChaosLab } from './chaos-lab.ts';

export interface ChaosVerdict {
  readonly wanted: number;
  /** Downloads without a success at the end. */
  readonly lost: number;
  /** Further rows, files or counted successes of a download that has one. */
  readonly doubled: number;
  /** Runs of jobs beyond one for each download. */
  readonly extraStarts: number;
  readonly violations: readonly string[];
}

interface Counts {
  readonly rows: number;
  readonly wishes: number;
  readonly succeeded: number;
  /** Successes that the recorder counted for the contents. */
  readonly counted: number;
}

const COUNTS_SQL = `
  SELECT count(*) AS rows, count(DISTINCT (d.host, d.path)) AS wishes,
    count(DISTINCT (d.host, d.path)) FILTER (WHERE d.status = 'success') AS succeeded,
    (SELECT coalesce(sum(c.success_count), 0)::bigint FROM cids c) AS counted
  FROM downloads d`;

const LEFT_SQL = `SELECT d.host, d.path, d.status, d.generation, d.enqueued_generation, d.reason, d.error
  FROM downloads d WHERE d.status <> 'success' ORDER BY d.host, d.path LIMIT 10`;

/** Counts what the rows say and what the hosts have. */
export async function verdictOf({
  lab,
  database,
  hosts,
  wanted,
}: {
  readonly lab: ChaosLab;
  readonly database: Database;
  readonly hosts: readonly string[];
  readonly wanted: number;
}): Promise<ChaosVerdict> {
  const counts = (await database.pool.query<Counts>(COUNTS_SQL)).rows[0]!;
  const lists = await Promise.all(hosts.map((host) => lab.published(host)));
  const published = lists.reduce((sum, list) => sum + list.length, 0);
  const distinct = lists.reduce((sum, list) => sum + new Set(list).size, 0);
  const lost = wanted - Math.min(counts.succeeded, distinct);
  const doubledRows = counts.rows - counts.wishes;
  const doubledFiles = published - distinct;
  const miscounted = counts.counted - counts.succeeded;
  const left = (await database.pool.query<Record<string, unknown>>(LEFT_SQL)).rows;
  return {
    wanted,
    lost,
    doubled: doubledRows + doubledFiles + Math.abs(miscounted),
    extraStarts: (await lab.count('started')) - wanted,
    violations: [
      ...(lost > 0 ? [`${lost} downloads are lost`] : []),
      ...(doubledRows > 0 ? [`${doubledRows} downloads have a second row`] : []),
      ...(doubledFiles > 0 ? [`${doubledFiles} files were published twice`] : []),
      ...(miscounted !== 0 ? [`${counts.counted} successes were counted of ${counts.succeeded}`] : []),
      ...left.map((row) => `left: ${JSON.stringify(row)}`),
    ],
  };
}
