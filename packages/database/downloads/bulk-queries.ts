import { BULK_MEANING, BULK_STATUSES, type BulkActionName, type BulkItemState } from '#core/bulk-action';
import type { BulkFilter } from '#contracts/http/bulk-actions';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

export interface BulkActionRow {
  readonly id: string;
  readonly action: BulkActionName;
  readonly filter: BulkFilter;
  readonly state: 'running' | 'done';
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export interface BulkItemRow {
  readonly position: number;
  readonly id: string;
  /** Null where there is no such download. */
  readonly file: string | null;
  readonly host: string | null;
  readonly state: BulkItemState;
  readonly reason: string | null;
}

export interface NewBulkAction {
  readonly action: BulkActionName;
  readonly filter: BulkFilter;
  readonly createdBy: string;
}

/** Ended actions are kept this long. */
const KEPT = `interval '30 days'`;

/**
 * Writes an action and the downloads that match now, each with what the action means for it. What needs nothing done is settled at once.
 *
 * @returns its id
 */
export async function createBulkAction(
  database: Database,
  { action, filter, createdBy }: NewBulkAction,
  now: Date,
): Promise<string> {
  return inTransaction(database, async (client) => {
    await client.query(`DELETE FROM bulk_actions WHERE ended_at < $1::timestamptz - ${KEPT}`, [now]);
    const made = await client.query<{ id: string }>(
      'INSERT INTO bulk_actions (action, filter, created_by, created_at) VALUES ($1, $2, $3, $4) RETURNING id',
      [action, filter, createdBy, now],
    );
    const { id } = made.rows[0]!;
    const { from, parameters } = matchingSql(action, filter, [id]);
    const sql = `INSERT INTO bulk_items (bulk_id, position, download_id, state, reason)
      SELECT $1::uuid, row_number() OVER (ORDER BY m.place), m.id,
        CASE WHEN m.reason IS NOT NULL THEN 'skipped' ELSE m.state END, m.reason
      FROM (SELECT ${meaningSql(action)}, ${from}) m`;
    await client.query(sql, parameters);
    await client.query(closeSql('id = $1'), [id, now]);
    return id;
  });
}

/** What an action would do with the downloads that match now: how many, by the state that their item would have and why. */
export async function planBulkAction(
  { pool }: Database,
  action: BulkActionName,
  filter: BulkFilter,
): Promise<{ state: 'pending' | 'unchanged' | 'skipped'; reason: string | null; count: number }[]> {
  const { from, parameters } = matchingSql(action, filter, []);
  const sql = `SELECT CASE WHEN m.reason IS NOT NULL THEN 'skipped' ELSE m.state END AS state, m.reason, count(*) AS count
    FROM (SELECT ${meaningSql(action)}, ${from}) m GROUP BY 1, 2 ORDER BY count(*) DESC, 2`;
  return (
    await pool.query<{ state: 'pending' | 'unchanged' | 'skipped'; reason: string | null; count: number }>(
      sql,
      parameters,
    )
  ).rows;
}

/** What a filter matches: which versions of which models, on which hosts. */
export async function matchedByBulk(
  { pool }: Database,
  action: BulkActionName,
  filter: BulkFilter,
): Promise<{ model: string | null; version: string | null; host: string | null }[]> {
  const { from, parameters } = matchingSql(action, filter, []);
  const sql = `SELECT DISTINCT m.model, m.version, m.host
    FROM (SELECT d.model, d.version, d.host, d.id AS known, ${from}) m WHERE m.known IS NOT NULL`;
  return (await pool.query<{ model: string | null; version: string | null; host: string | null }>(sql, parameters))
    .rows;
}

/** The columns `id` and `place`, and the rows; `d` is null for an id that does not exist. */
function matchingSql(
  action: BulkActionName,
  filter: BulkFilter,
  before: readonly unknown[],
): { from: string; parameters: unknown[] } {
  const parameters = [...before];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  if (filter.ids !== undefined) {
    const ids = given([...new Set(filter.ids)]);
    return {
      from: `w.id, w.place FROM unnest(${ids}::uuid[]) WITH ORDINALITY AS w (id, place) LEFT JOIN downloads d ON d.id = w.id`,
      parameters,
    };
  }
  const { model, version, host, status = BULK_STATUSES[action] } = filter;
  const conditions = [
    `d.status = ANY(${given(status)}::text[])`,
    ...(model === undefined ? [] : [`d.model = ${given(model)}`]),
    ...(version === undefined ? [] : [`d.version = ${given(version)}`]),
    ...(host === undefined ? [] : [`lower(d.host) = lower(${given(host)})`]),
  ];
  const place = 'row_number() OVER (ORDER BY d.created_at, d.id)';
  return { from: `d.id, ${place} AS place FROM downloads d WHERE ${conditions.join(' AND ')}`, parameters };
}

/** The columns `state` and `reason` of an item, by the table of meanings. */
function meaningSql(action: BulkActionName): string {
  const meanings = Object.entries(BULK_MEANING[action]);
  const cases = (of: (meaning: (typeof meanings)[number][1]) => string): string =>
    meanings.map(([status, meaning]) => `WHEN '${status}' THEN ${of(meaning)}`).join(' ');
  const state = cases((meaning) => (meaning === 'unchanged' ? `'unchanged'` : `'pending'`));
  const skip = cases((meaning) => (typeof meaning === 'object' ? `'${meaning.skip}'` : 'NULL'));
  const isHeld = action === 'pause' ? `d.status = 'paused' AND d.pause_reason = 'requested'` : 'false';
  return `CASE WHEN ${isHeld} THEN 'unchanged' ELSE (CASE d.status ${state} END) END AS state,
    CASE WHEN d.id IS NULL THEN 'there is no such download' ${action === 'retry' ? NEWER : ''}
      ELSE (CASE d.status ${skip} END) END AS reason`;
}

/**
 * An old download is not repeated after another one of the same file has taken its place. The host is compared as the index has it: without
 * that, each failed download is compared with those of the same file on all hosts.
 */
const NEWER = `WHEN d.status IN ('failed', 'cancelled') AND EXISTS (SELECT FROM downloads n
    WHERE n.content_key = d.content_key AND n.path = d.path AND coalesce(n.host, '') = coalesce(d.host, '')
      AND n.model IS NOT DISTINCT FROM d.model AND (n.created_at, n.id) > (d.created_at, d.id))
  THEN 'a newer download of this file on this host exists'`;

/** An item that a process took over. */
export interface ClaimedItem {
  readonly bulkId: string;
  readonly position: number;
  readonly downloadId: string;
  readonly action: BulkActionName;
}

/**
 * Takes items that are to be carried out, oldest action first. No two processes get the same one; an item of a process that was killed is free
 * again after a while.
 *
 * @param staleBefore items that were taken before are free again
 */
export async function claimBulkItems(
  { pool }: Database,
  limit: number,
  now: Date,
  staleBefore: Date,
): Promise<ClaimedItem[]> {
  const sql = `UPDATE bulk_items i SET state = 'running', claimed_at = $2
    FROM (SELECT o.bulk_id, o.position, b.action FROM bulk_actions b JOIN bulk_items o ON o.bulk_id = b.id
      WHERE b.state = 'running' AND o.state IN ('pending', 'running') AND (o.state = 'pending' OR o.claimed_at < $3)
      ORDER BY b.created_at, b.id, o.position LIMIT $1 FOR UPDATE OF o SKIP LOCKED) c
    WHERE i.bulk_id = c.bulk_id AND i.position = c.position
    RETURNING i.bulk_id AS "bulkId", i.position, i.download_id AS "downloadId", c.action`;
  return (await pool.query<ClaimedItem>(sql, [limit, now, staleBefore])).rows;
}

export interface SettledItem extends Pick<ClaimedItem, 'bulkId' | 'position'> {
  readonly state: 'done' | 'skipped' | 'failed';
  readonly reason: string | null;
}

/** Writes how items ended, and ends the actions that have no other ones. @returns ids of the actions that were touched */
export async function settleBulkItems({ pool }: Database, items: readonly SettledItem[], now: Date): Promise<string[]> {
  const sql = `UPDATE bulk_items i SET state = s.state, reason = s.reason
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) AS s (bulk_id, position, state, reason)
    WHERE i.bulk_id = s.bulk_id AND i.position = s.position AND i.state = 'running'`;
  const column = <Key extends keyof SettledItem>(key: Key) => items.map((item) => item[key]);
  await pool.query(sql, [column('bulkId'), column('position'), column('state'), column('reason')]);
  const touched = [...new Set(column('bulkId'))];
  await pool.query(closeSql('id = ANY($1::uuid[])'), [touched, now]);
  return touched;
}

const closeSql = (which: string): string => `UPDATE bulk_actions b SET state = 'done', ended_at = $2
  WHERE ${which} AND state = 'running'
    AND NOT EXISTS (SELECT FROM bulk_items i WHERE i.bulk_id = b.id AND i.state IN ('pending', 'running'))`;

export async function bulkActionById({ pool }: Database, id: string): Promise<BulkActionRow | undefined> {
  const sql = `SELECT id, action, filter, state, created_by AS "createdBy", created_at AS "createdAt", ended_at AS "endedAt"
    FROM bulk_actions WHERE id = $1`;
  return (await pool.query<BulkActionRow>(sql, [id])).rows[0];
}

/** @returns how many items have each state; a state without any is left out */
export async function countBulkItems({ pool }: Database, id: string): Promise<Partial<Record<BulkItemState, number>>> {
  const sql = 'SELECT state, count(*) AS count FROM bulk_items WHERE bulk_id = $1 GROUP BY state';
  const { rows } = await pool.query<{ state: BulkItemState; count: number }>(sql, [id]);
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/** By position. @returns at most one row more than the limit, which says that there is another page */
export async function listBulkItems(
  { pool }: Database,
  id: string,
  {
    states,
    after,
    limit,
  }: { readonly states: readonly BulkItemState[]; readonly after: number; readonly limit: number },
): Promise<BulkItemRow[]> {
  const sql = `SELECT i.position, i.download_id AS id, d.path AS file, d.host, i.state, i.reason
    FROM bulk_items i LEFT JOIN downloads d ON d.id = i.download_id
    WHERE i.bulk_id = $1 AND i.position > $2 AND (cardinality($3::text[]) = 0 OR i.state = ANY($3))
    ORDER BY i.position LIMIT $4`;
  return (await pool.query<BulkItemRow>(sql, [id, after, states, limit + 1])).rows;
}
