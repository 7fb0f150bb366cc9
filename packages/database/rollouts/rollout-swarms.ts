import { MINUTE_MS } from '#core/units';
import type { Bottleneck } from '#core/swarm/swarm-bound';
import type { Database } from '../sql/connect.ts';
import { OPEN_ROLLOUT_STATES } from './state-sql.ts';

/** How the hosts of a rollout fetched one file from each other. Times in milliseconds. */
export interface SwarmNumbers {
  readonly doneHosts: number;
  readonly sites: readonly { readonly site: string; readonly hosts: number; readonly bytes: number }[];
  readonly elapsedMs: number;
  readonly boundMs: number | null;
  readonly bottleneck: Bottleneck | null;
}

export interface RolloutSwarmRow {
  /** Root CID: version 1, base32. */
  readonly cid: string;
  readonly sizeBytes: number;
  /** Hosts of the rollout that fetched the file. */
  readonly hosts: number;
  readonly originBytes: number;
  readonly numbers: SwarmNumbers;
}

/** A rollout with a file that its hosts may fetch from each other. */
export interface SharedFile {
  readonly rolloutId: string;
  /** As the manifest names it. */
  readonly cid: string;
}

const FILES_OF_MODELS = `jsonb_to_recordset(r.models) AS m (name text, version text)
    JOIN manifest_files f ON f.model = m.name AND f.version = m.version AND f.cid IS NOT NULL`;

/** The last announces of a rollout come this long after its end. */
const LAST_ANNOUNCES_MS = MINUTE_MS;
/** Files of one rollout that are followed, the largest first. */
const MOST_FILES = 256;

/** @returns files of rollouts that go on, hold, or ended a moment ago */
export async function sharedFiles({ pool }: Database, now: Date): Promise<SharedFile[]> {
  const sql = `SELECT x."rolloutId", x.cid FROM rollouts r CROSS JOIN LATERAL (
      SELECT DISTINCT ON (f.size_bytes, f.cid) r.id AS "rolloutId", f.cid FROM ${FILES_OF_MODELS}
      ORDER BY f.size_bytes DESC NULLS LAST, f.cid LIMIT ${MOST_FILES}
    ) x
    WHERE r.started_at IS NOT NULL AND (r.state IN (${OPEN_ROLLOUT_STATES}) OR r.is_holding OR r.ended_at > $1)`;
  return (await pool.query<SharedFile>(sql, [new Date(now.getTime() - LAST_ANNOUNCES_MS)])).rows;
}

/**
 * Keeps how the hosts of rollouts share files. What was found with more hosts stays: the tracker forgets hosts that stopped, and a Redis that lost its
 * data knows only those that still fetch.
 *
 * @returns rollouts whose numbers changed
 */
export async function keepSwarms(
  { pool }: Database,
  found: readonly (RolloutSwarmRow & { readonly rolloutId: string })[],
  now: Date,
): Promise<string[]> {
  const sql = `INSERT INTO rollout_swarms AS s (rollout_id, cid, size_bytes, hosts, origin_bytes, numbers, updated_at)
    SELECT n."rolloutId", n.cid, n."sizeBytes", n.hosts, n."originBytes", n.numbers, $2
    FROM jsonb_to_recordset($1::jsonb) AS n ("rolloutId" uuid, cid text, "sizeBytes" bigint, hosts int, "originBytes" bigint, numbers jsonb)
    JOIN rollouts r ON r.id = n."rolloutId" ORDER BY 1, 2
    ON CONFLICT (rollout_id, cid) DO UPDATE SET size_bytes = excluded.size_bytes, hosts = excluded.hosts, numbers = excluded.numbers,
      origin_bytes = greatest(s.origin_bytes, excluded.origin_bytes), updated_at = excluded.updated_at
    WHERE excluded.hosts >= s.hosts
      AND (s.numbers, s.hosts, s.origin_bytes) IS DISTINCT FROM (excluded.numbers, excluded.hosts, excluded.origin_bytes)
    RETURNING s.rollout_id AS "rolloutId"`;
  const { rows } = await pool.query<{ rolloutId: string }>(sql, [JSON.stringify(found), now]);
  return [...new Set(rows.map(({ rolloutId }) => rolloutId))];
}

/** A row as it was kept. */
export interface KeptSwarmRow extends RolloutSwarmRow {
  readonly updatedAt: Date;
}

/** Of one rollout, the largest files first. */
export async function rolloutSwarms({ pool }: Database, id: string): Promise<KeptSwarmRow[]> {
  const sql = `SELECT s.cid, s.size_bytes AS "sizeBytes", s.hosts, s.origin_bytes AS "originBytes", s.numbers, s.updated_at AS "updatedAt"
    FROM rollout_swarms s WHERE s.rollout_id = $1 ORDER BY s.size_bytes DESC, s.cid`;
  return (await pool.query<KeptSwarmRow>(sql, [id])).rows;
}

/** What the hosts of a rollout took from origins, of all of its files that they share. */
export interface OriginSum {
  readonly rolloutId: string;
  readonly originBytes: number;
  readonly sizeBytes: number;
}

/** @returns nothing for a rollout whose hosts share no file */
export async function originSums({ pool }: Database, rolloutIds: readonly string[]): Promise<OriginSum[]> {
  const sql = `SELECT s.rollout_id AS "rolloutId", sum(s.origin_bytes)::bigint AS "originBytes", sum(s.size_bytes)::bigint AS "sizeBytes"
    FROM rollout_swarms s WHERE s.rollout_id = ANY($1::uuid[]) GROUP BY 1`;
  return (await pool.query<OriginSum>(sql, [rolloutIds])).rows;
}
