import type { HostFacts } from '#contracts/worker/worker-events';
import type { Database } from '../sql/connect.ts';
import { hostConditions, type HostRowFilter } from './host-filter-sql.ts';
import { shownHostSql } from './shown-host-sql.ts';

/** Store and disk in bytes; null until the host reported. */
export interface HostRow {
  /** In the form that names are compared in. */
  readonly name: string;
  /** In the case that its worker has. */
  readonly shownName: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly bootId: string | null;
  readonly lastSequence: number;
  readonly reportedAt: Date | null;
  readonly inventoryDigest: string | null;
  readonly storeBytes: number | null;
  readonly freeBytes: number | null;
  readonly fileCount: number | null;
  readonly workerVersion: string | null;
  /** Model name to the answer of the host's own check. */
  readonly newerVersions: Record<string, unknown>;
  /** Set through the API. */
  readonly labels: Record<string, string>;
  /** Of the worker's own configuration. */
  readonly workerLabels: Record<string, string>;
  readonly facts: Partial<HostFacts>;
  /** Rollouts do not begin with it. */
  readonly draining: boolean;
  readonly enrolment: 'none' | 'enrolled' | 'revoked';
  /** When the list of what it has was last compared with what is wanted; by the host's clock. */
  readonly inventoryAt: Date | null;
  readonly surplus: Partial<Surplus>;
}

/** What a host has beyond what is wanted there. */
export interface Surplus {
  readonly extra: number;
  readonly old: number;
  /** The first of them, by name. */
  readonly files: readonly SurplusFile[];
}

export interface SurplusFile {
  readonly state: 'extra' | 'old';
  readonly model: string | null;
  readonly version: string | null;
  readonly path: string | null;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A file that the host lost and that is not there again. */
export interface LostFile {
  readonly downloadId: string;
  readonly state: 'missing' | 'corrupt';
  readonly model: string | null;
  readonly version: string | null;
  readonly path: string;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  readonly repairWaits: boolean;
}

export interface Lost {
  readonly missing: number;
  readonly corrupt: number;
  readonly repairWaits: number;
  readonly files: readonly LostFile[];
}

/** The version of a model that is wanted on a host, and how it stands there. */
export interface DesiredRow {
  readonly model: string;
  readonly version: string;
  readonly decidedAt: Date;
  /** The rollout that decided it; null: a request for downloads. */
  readonly rolloutId: string | null;
  readonly files: number;
  /** Files that are there, by the last report or inventory of the host. */
  readonly presentFiles: number;
  readonly failedFiles: number;
  readonly cancelledFiles: number;
  readonly pausedFiles: number;
}

export interface NoticeRow {
  readonly host: string | null;
  /** In the case that its worker has. */
  readonly shownHost: string | null;
  readonly at: Date;
  readonly notice: string;
  readonly model: string | null;
  readonly path: string | null;
  readonly message: string;
  readonly facts: Record<string, unknown>;
}

const HOST_COLUMNS = `h.name, coalesce(h.shown_name, h.name) AS "shownName", h.first_seen_at AS "firstSeenAt", h.last_seen_at AS "lastSeenAt", h.boot_id AS "bootId",
  h.last_sequence AS "lastSequence", h.reported_at AS "reportedAt", h.inventory_digest AS "inventoryDigest",
  h.store_bytes AS "storeBytes", h.free_bytes AS "freeBytes", h.file_count AS "fileCount",
  h.worker_version AS "workerVersion", h.newer_versions AS "newerVersions", h.labels,
  h.worker_labels AS "workerLabels", h.facts, h.draining, h.inventory_at AS "inventoryAt", h.surplus,
  coalesce((SELECT CASE WHEN k.revoked_at IS NULL THEN 'enrolled' ELSE 'revoked' END FROM host_keys k WHERE k.host = h.name),
    'none') AS enrolment`;

/** By name. */
export async function listHosts(
  database: Database,
  limit = 1000,
  afterName = '',
  filter?: HostRowFilter,
): Promise<HostRow[]> {
  const parameters: unknown[] = [afterName, limit];
  const given = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions = ['h.name > $1', ...(filter === undefined ? [] : hostConditions(filter, given))];
  const sql = `SELECT ${HOST_COLUMNS} FROM hosts h WHERE ${conditions.join(' AND ')} ORDER BY h.name LIMIT $2`;
  return (await database.pool.query<HostRow>(sql, parameters)).rows;
}

/** @param names in the form that names are compared in; those that no worker reported from are left out */
export async function hostsNamed(database: Database, names: readonly string[]): Promise<HostRow[]> {
  const sql = `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.name = ANY($1::text[])`;
  return (await database.pool.query<HostRow>(sql, [names])).rows;
}

/** All of them, in the case that their workers have. */
export async function shownHostNames(database: Database): Promise<string[]> {
  const sql = 'SELECT coalesce(h.shown_name, h.name) AS name FROM hosts h ORDER BY h.name';
  return (await database.pool.query<{ name: string }>(sql)).rows.map(({ name }) => name);
}

export async function hostByName(database: Database, name: string): Promise<HostRow | undefined> {
  return (await database.pool.query<HostRow>(`SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.name = $1`, [name])).rows[0];
}

/** @param named how many files are named; all are counted */
export async function lostOn(database: Database, host: string, named: number): Promise<Lost> {
  const sql = `SELECT d.id AS "downloadId", d.lost_as AS state, d.model, d.version, d.path, d.hash AS sha256,
      d.total_bytes AS "sizeBytes", d.repair_waits AS "repairWaits"
    FROM downloads d WHERE d.host = $1 AND d.lost_at IS NOT NULL AND d.status <> 'cancelled' ORDER BY d.model, d.version, d.path`;
  const { rows } = await database.pool.query<LostFile>(sql, [host]);
  const count = (holds: (file: LostFile) => boolean): number => rows.filter(holds).length;
  return {
    missing: count(({ state }) => state === 'missing'),
    corrupt: count(({ state }) => state === 'corrupt'),
    repairWaits: count(({ repairWaits }) => repairWaits),
    files: rows.slice(0, named),
  };
}

/** What is wanted on a host, by model. */
export async function desiredOn(database: Database, host: string): Promise<DesiredRow[]> {
  const sql = `SELECT w.model, w.version, w.decided_at AS "decidedAt", w.rollout_id AS "rolloutId", count(f.id) AS files,
      count(*) FILTER (WHERE f.status = 'success') AS "presentFiles", count(*) FILTER (WHERE f.status = 'failed') AS "failedFiles",
      count(*) FILTER (WHERE f.status = 'cancelled') AS "cancelledFiles", count(*) FILTER (WHERE f.status = 'paused') AS "pausedFiles"
    FROM desired_models w LEFT JOIN LATERAL (
      SELECT DISTINCT ON (d.content_key, d.path) d.id, d.status FROM downloads d
      WHERE d.host = w.host AND d.model = w.model AND d.version = w.version
      ORDER BY d.content_key, d.path, d.status IN ('pending', 'in_progress', 'resuming', 'paused') DESC, d.created_at DESC, d.id DESC
    ) f ON true
    WHERE w.host = $1 GROUP BY w.host, w.model ORDER BY w.model`;
  return (await database.pool.query<DesiredRow>(sql, [host])).rows;
}

/** Newest first. */
export async function listNotices(
  database: Database,
  filter: { host?: string | undefined; notice?: string | undefined; limit: number },
): Promise<NoticeRow[]> {
  const sql = `SELECT n.host, ${shownHostSql('n.host')} AS "shownHost", n.at, n.notice, n.model, n.path, n.message, n.facts
    FROM host_notices n
    WHERE ($1::text IS NULL OR n.host = $1) AND ($2::text IS NULL OR n.notice = $2) ORDER BY n.at DESC LIMIT $3`;
  return (await database.pool.query<NoticeRow>(sql, [filter.host ?? null, filter.notice ?? null, filter.limit])).rows;
}

/** A host whose store is larger than the limit that it warned at. */
export interface StoreWarning {
  /** In the case that its worker has. */
  readonly host: string;
  readonly at: Date;
  readonly message: string;
}

/**
 * The newest warning of each host whose store is over the limit of that warning, by what the host reported last. Counted in the
 * database: to read the rows of all hosts would take some ten microseconds of the event loop for each.
 */
export async function storeWarnings(database: Database, limit: number): Promise<StoreWarning[]> {
  const warnBytes = `CASE WHEN jsonb_typeof(n.facts -> 'warnBytes') = 'number' THEN (n.facts ->> 'warnBytes')::numeric ELSE 0 END`;
  const sql = `SELECT DISTINCT ON (n.host) coalesce(h.shown_name, h.name) AS host, n.at, n.message
    FROM host_notices n JOIN hosts h ON h.name = n.host
    WHERE n.notice = 'store_over_limit' AND h.store_bytes > ${warnBytes}
    ORDER BY n.host, n.at DESC LIMIT $1`;
  return (await database.pool.query<StoreWarning>(sql, [limit])).rows;
}

export interface HostTotals {
  readonly online: number;
  readonly offline: number;
  readonly storeBytes: number;
  /** Hosts with a standing warning about their store. */
  readonly overStoreLimit: number;
}

/** @param aliveSince hosts that were heard of since this moment are online */
export async function hostTotals(database: Database, aliveSince: Date): Promise<HostTotals> {
  const sql = `SELECT count(*) FILTER (WHERE h.last_seen_at >= $1) AS online,
      count(*) FILTER (WHERE h.last_seen_at < $1) AS offline, coalesce(sum(h.store_bytes), 0)::bigint AS "storeBytes"
    FROM hosts h`;
  const totals = (await database.pool.query<Omit<HostTotals, 'overStoreLimit'>>(sql, [aliveSince])).rows[0]!;
  return { ...totals, overStoreLimit: (await storeWarnings(database, MAX_COUNTED)).length };
}

const MAX_COUNTED = 100_000;

/** How many online hosts run each version of the worker; `unknown` for those that never told. */
export async function workersByVersion(database: Database, aliveSince: Date): Promise<Record<string, number>> {
  const sql = `SELECT coalesce(h.worker_version, 'unknown') AS version, count(*) AS hosts FROM hosts h
    WHERE h.last_seen_at >= $1 GROUP BY 1 ORDER BY 1`;
  const { rows } = await database.pool.query<{ version: string; hosts: number }>(sql, [aliveSince]);
  return Object.fromEntries(rows.map(({ version, hosts }) => [version, hosts]));
}

/** @returns those of the names that no worker has reported from, in their order */
export async function unknownHosts(database: Database, names: readonly string[]): Promise<string[]> {
  const sql = `SELECT n.name FROM unnest($1::text[]) WITH ORDINALITY AS n (name, position)
    WHERE NOT EXISTS (SELECT 1 FROM hosts h WHERE h.name = n.name) ORDER BY n.position`;
  return (await database.pool.query<{ name: string }>(sql, [names])).rows.map(({ name }) => name);
}

/** The newest downloads of each status that has work are looked at, so that the time does not grow with the history. */
const LOOKED_AT = 500;

/** @returns hosts that have open downloads, those with the newest first; at most so many */
export async function hostsAtWork(database: Database, limit: number): Promise<string[]> {
  const statuses = ['in_progress', 'resuming', 'paused', 'pending'];
  const sql = `SELECT newest.host FROM unnest($1::text[]) AS s (status) CROSS JOIN LATERAL (
      SELECT host, created_at FROM downloads d WHERE d.status = s.status ORDER BY d.created_at DESC LIMIT $2
    ) newest
    WHERE newest.host IS NOT NULL GROUP BY newest.host ORDER BY max(newest.created_at) DESC, newest.host LIMIT $3`;
  return (await database.pool.query<{ host: string }>(sql, [statuses, LOOKED_AT, limit])).rows.map(({ host }) => host);
}

/** @returns whether a worker reported from the host, or a download was asked for there */
export async function isKnownHost(database: Database, name: string): Promise<boolean> {
  const sql = `SELECT EXISTS (SELECT 1 FROM hosts WHERE name = $1) OR EXISTS (SELECT 1 FROM downloads WHERE host = $1) AS known`;
  return (await database.pool.query<{ known: boolean }>(sql, [name])).rows[0]!.known;
}
