import type { LabelsPatch } from '#contracts/labels';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { nextStatusSql, legalSql } from '../downloads/status-sql.ts';
import { hostByName, type HostRow } from './host-queries.ts';

/** The tag of a host's labels that were set: changes whenever they do. */
const TAG = 'md5(h.labels::text)';

/** @returns the tag of the labels that were set for the host, for a conditional change */
export async function labelsTag(database: Database, name: string): Promise<string | undefined> {
  const sql = `SELECT ${TAG} AS tag FROM hosts h WHERE h.name = $1`;
  return (await database.pool.query<{ tag: string }>(sql, [name])).rows[0]?.tag;
}

/**
 * Changes the labels that are set for a host; null takes one away, what is left out stays.
 *
 * @param onlyIfTag changes nothing when the labels have another tag
 * @returns how the host stands now; undefined when there is no such host or the tag is another one
 */
export async function patchLabels(
  database: Database,
  name: string,
  patch: LabelsPatch,
  onlyIfTag?: string,
): Promise<HostRow | undefined> {
  const sql = `UPDATE hosts h SET labels = jsonb_strip_nulls(h.labels || $2::jsonb)
    WHERE h.name = $1 AND ($3::text IS NULL OR ${TAG} = $3)`;
  const { rowCount } = await database.pool.query(sql, [name, JSON.stringify(patch), onlyIfTag ?? null]);
  return rowCount === 0 ? undefined : hostByName(database, name);
}

/** @returns how the host stands now; undefined when there is no such host */
export async function setDraining(database: Database, name: string, draining: boolean): Promise<HostRow | undefined> {
  await database.pool.query('UPDATE hosts SET draining = $2 WHERE name = $1', [name, draining]);
  return hostByName(database, name);
}

/** @returns the hosts among these that were not so before */
export async function setDrainingOf(
  { pool }: Database,
  names: readonly string[],
  draining: boolean,
): Promise<string[]> {
  const sql = 'UPDATE hosts SET draining = $2 WHERE name = ANY($1) AND draining <> $2 RETURNING name';
  return (await pool.query<{ name: string }>(sql, [names, draining])).rows.map(({ name }) => name);
}

/** The same change of labels as `patchLabels`, for many hosts. @returns the hosts whose labels it changed */
export async function patchLabelsOf(
  { pool }: Database,
  names: readonly string[],
  patch: LabelsPatch,
): Promise<string[]> {
  const sql = `UPDATE hosts h SET labels = jsonb_strip_nulls(h.labels || $2::jsonb)
    WHERE h.name = ANY($1) AND h.labels <> jsonb_strip_nulls(h.labels || $2::jsonb) RETURNING h.name`;
  return (await pool.query<{ name: string }>(sql, [names, JSON.stringify(patch)])).rows.map(({ name }) => name);
}

/** A download that ended because its host was forgotten; its job is to be taken out of its queue. */
interface EndedDownload {
  readonly id: string;
  readonly host: string | null;
  readonly generation: number;
}

/**
 * Forgets a host that was silent since the given moment: its row, its notices, its inventory, its key and what was decided for it. What is still wanted there is
 * cancelled. Finished downloads stay as history.
 *
 * @returns what was cancelled; undefined when the host is unknown or spoke since then
 */
export async function forgetHost(
  database: Database,
  name: string,
  silentSince: Date,
  now: Date,
): Promise<EndedDownload[] | undefined> {
  return inTransaction(database, async (client) => {
    const sql = 'DELETE FROM hosts WHERE name = $1 AND last_seen_at < $2';
    if ((await client.query(sql, [name, silentSince])).rowCount === 0) return undefined;
    await client.query('DELETE FROM host_notices WHERE host = $1', [name]);
    await client.query('DELETE FROM inventory_pages WHERE host = $1', [name]);
    await client.query('DELETE FROM host_keys WHERE host = $1', [name]);
    await client.query('DELETE FROM desired_models WHERE host = $1', [name]);
    const cancel = `UPDATE downloads d SET status = ${nextStatusSql('cancel')}, pause_reason = NULL, retry_at = NULL,
        reason = 'its host was forgotten', bytes_per_second = 0, completed_at = $2, updated_at = $2
      WHERE d.host = $1 AND ${legalSql('cancel')} RETURNING d.id, d.host, d.generation`;
    return (await client.query<EndedDownload>(cancel, [name, now])).rows;
  });
}
