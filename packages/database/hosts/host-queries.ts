import type { HostFacts } from '#contracts/worker/worker-events';
import type { Database } from '../sql/connect.ts';

/** Store and disk in bytes; null until the host reported. */
export interface HostRow {
  readonly name: string;
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
}

export interface NoticeRow {
  readonly host: string | null;
  readonly at: Date;
  readonly notice: string;
  readonly model: string | null;
  readonly path: string | null;
  readonly message: string;
  readonly facts: Record<string, unknown>;
}

const HOST_COLUMNS = `h.name, h.first_seen_at AS "firstSeenAt", h.last_seen_at AS "lastSeenAt", h.boot_id AS "bootId",
  h.last_sequence AS "lastSequence", h.reported_at AS "reportedAt", h.inventory_digest AS "inventoryDigest",
  h.store_bytes AS "storeBytes", h.free_bytes AS "freeBytes", h.file_count AS "fileCount",
  h.worker_version AS "workerVersion", h.newer_versions AS "newerVersions", h.labels,
  h.worker_labels AS "workerLabels", h.facts, h.draining`;

/** By name. */
export async function listHosts(database: Database, limit = 1000, afterName = ''): Promise<HostRow[]> {
  const sql = `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.name > $1 ORDER BY h.name LIMIT $2`;
  return (await database.pool.query<HostRow>(sql, [afterName, limit])).rows;
}

export async function hostByName(database: Database, name: string): Promise<HostRow | undefined> {
  return (await database.pool.query<HostRow>(`SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.name = $1`, [name])).rows[0];
}

/** Newest first. */
export async function listNotices(
  database: Database,
  filter: { host?: string | undefined; notice?: string | undefined; limit: number },
): Promise<NoticeRow[]> {
  const sql = `SELECT host, at, notice, model, path, message, facts FROM host_notices
    WHERE ($1::text IS NULL OR host = $1) AND ($2::text IS NULL OR notice = $2) ORDER BY at DESC LIMIT $3`;
  return (await database.pool.query<NoticeRow>(sql, [filter.host ?? null, filter.notice ?? null, filter.limit])).rows;
}
