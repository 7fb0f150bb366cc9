import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { beginAnew, moveHosts, type Client } from './moves.ts';
import { decidedAt, type RolloutRow } from './rollout-row.ts';
import { FINAL_HOST_LIST } from './state-sql.ts';

/*
 * A rollout with `hold` that succeeded goes on: hosts that lack its models get them, within the limits of its last wave.
 */

/** A host that a holding rollout matches now. */
export interface HeldMember {
  readonly host: string;
  readonly site: string;
  /** Of the models of the rollout those that no newer holding rollout brings to the host. */
  readonly models: readonly string[];
}

/** Index of the wave that late hosts join. */
export const lastWave = ({ spec }: RolloutRow): number => spec.policy.waves.length - 1;

/**
 * Begins the hold of a rollout that has just succeeded: hosts that joined late and are not done join its last wave, and older
 * holding rollouts of the same hosts that bring none but the same models end theirs.
 */
export async function beginHold(client: Client, row: RolloutRow, now: Date): Promise<void> {
  const join = `UPDATE rollout_hosts h SET wave = $2, updated_at = $3
    WHERE h.rollout_id = $1 AND h.wave IS NULL AND h.state NOT IN (${FINAL_HOST_LIST})`;
  await client.query(join, [row.id, lastWave(row), now]);
  const { selector, exclude } = row.spec;
  const older = `SELECT o.id FROM rollouts o
    WHERE o.is_holding AND o.id <> $1 AND coalesce(o.started_at, o.created_at) < $2
      AND o.spec->>'selector' = $3 AND o.spec->'exclude' = $4::jsonb
      AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(o.models) m WHERE m->>'name' <> ALL($5::text[]))
    ORDER BY o.id FOR UPDATE`;
  const names = row.models.map(({ name }) => name);
  const parameters = [row.id, decidedAt(row), selector, JSON.stringify(exclude), names];
  const { rows } = await client.query<{ id: string }>(older, parameters);
  const reason = `rollout ${row.id} is newer and holds the same models on the same hosts`;
  for (const { id } of rows) await endHold(client, id, { reason }, now);
}

/**
 * Ends the hold of a rollout. Hosts that it is at work with are not waited for any more; what they began goes on.
 *
 * @param actor the token that asked for it
 */
export async function endHold(
  client: Client,
  id: string,
  { reason, actor = null }: { readonly reason: string; readonly actor?: string | null },
  now: Date,
): Promise<void> {
  const release = `WITH released AS (
      UPDATE rollouts r SET is_holding = false, version = r.version + 1, updated_at = $2 WHERE r.id = $1 AND r.is_holding
      RETURNING r.id, r.state
    )
    INSERT INTO rollout_events (rollout_id, at, event, from_state, to_state, reason, actor)
    SELECT id, $2, 'release', state, state, $3, $4 FROM released`;
  await client.query(release, [id, now, reason, actor]);
  const due = `SELECT h.host, h.state AS from_state, 'cancel' AS event, NULL AS failure_class, $3::text AS reason
    FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST})`;
  await moveHosts(client, id, due, [`the rollout does not hold any more: ${reason}`], now);
}

/** Failure classes of hosts that were away: they get the models once they are back. */
const AWAY = `('timed_out', 'offline', 'worker_lost')`;

/**
 * Of the members `m` those that lack a model: it was never decided for them, an older decision stands, or they were away when the
 * rollout came to them. A later decision about a host stays. `$1` is the rollout, `$3` to `$5` its members, `$6` its decision.
 */
const LACKING_SQL = `
  SELECT DISTINCT ON (m.host) m.host, m.site, h.state AS from_state
  FROM unnest($3::text[], $4::text[], $5::text[]) AS m (host, site, model)
  LEFT JOIN desired_models w ON w.host = m.host AND w.model = m.model
  LEFT JOIN rollout_hosts h ON h.rollout_id = $1 AND h.host = m.host
  WHERE (h.state IS NULL OR h.state IN (${FINAL_HOST_LIST})) AND (w.host IS NULL
    OR (w.rollout_id IS DISTINCT FROM $1 AND w.decided_at < $6)
    OR (w.rollout_id = $1 AND (h.host IS NULL OR h.failure_class IN ${AWAY})))
  ORDER BY m.host`;

const JOIN_SQL = `
  WITH lacking AS MATERIALIZED (${LACKING_SQL}), joined AS (
    INSERT INTO rollout_hosts (rollout_id, host, site, position, is_late, wave, updated_at)
    SELECT $1, l.host, l.site, 0, true, $7, $2::timestamptz FROM lacking l WHERE l.from_state IS NULL
    ON CONFLICT DO NOTHING RETURNING host
  )
  SELECT host FROM joined`;

const BACK_SQL = `
  SELECT l.host, l.from_state, 'rejoin' AS event, NULL AS failure_class, NULL AS reason
  FROM (${LACKING_SQL}) l WHERE l.from_state IS NOT NULL`;

/** Hosts that were in no number of the verdict stay out of it. */
const LATE_SQL = `UPDATE rollout_hosts h SET wave = $3, is_late = h.is_late OR h.host = ANY($4::text[])
  WHERE h.rollout_id = $1 AND h.host = ANY($2::text[])`;

/**
 * Gives a holding rollout the hosts that match it now and lack its models.
 *
 * @param members only hosts that may begin now
 * @returns how many joined
 */
export async function addHeldHosts(
  database: Database,
  row: RolloutRow,
  members: readonly HeldMember[],
  now: Date,
): Promise<number> {
  return inTransaction(database, async (client) => {
    const looked = 'UPDATE rollouts r SET members_at = $2 WHERE r.id = $1 AND r.is_holding';
    if ((await client.query(looked, [row.id, now])).rowCount === 0) return 0;
    const pairs = members.flatMap(({ host, site, models }) => models.map((model) => [host, site, model] as const));
    const columns = [0, 1, 2].map((column) => pairs.map((pair) => pair[column]));
    const parameters = [...columns, decidedAt(row)];
    const out = `SELECT h.host FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state IN ('skipped', 'superseded')`;
    const left = (await client.query<{ host: string }>(out, [row.id])).rows.map(({ host }) => host);
    const joined = (await client.query(JOIN_SQL, [row.id, now, ...parameters, lastWave(row)])).rowCount ?? 0;
    const moved = await moveHosts(client, row.id, BACK_SQL, parameters, now);
    const back = moved.map(({ host }) => host);
    await beginAnew(client, row.id, back);
    await client.query(LATE_SQL, [row.id, back, lastWave(row), left]);
    return joined + back.length;
  });
}

/** @returns of these hosts those for which nothing was decided later about the model than the rollout did */
export async function stillDecided(
  client: Client,
  row: RolloutRow,
  model: string,
  hosts: readonly string[],
): Promise<string[]> {
  const sql = `SELECT h.host FROM unnest($2::text[]) AS h (host) WHERE NOT EXISTS (
      SELECT 1 FROM desired_models w WHERE w.host = h.host AND w.model = $3
        AND w.rollout_id IS DISTINCT FROM $1 AND w.decided_at >= $4
    )`;
  const { rows } = await client.query<{ host: string }>(sql, [row.id, hosts, model, decidedAt(row)]);
  return rows.map(({ host }) => host);
}
