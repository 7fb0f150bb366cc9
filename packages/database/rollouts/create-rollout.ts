import type { RolloutModel, RolloutSpec } from '#core/rollout/rollout-spec';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import type { Client } from './moves.ts';
import { OPEN_ROLLOUT_STATES } from './state-sql.ts';

/** A host that the selector matched, in the order in which waves take them. */
export interface Member {
  readonly host: string;
  readonly site: string;
}

/** An `Idempotency-Key` of a token, and the hash of the body that came with it. */
export interface RequestKey {
  readonly tokenId: string;
  readonly key: string;
  readonly bodyHash: string;
}

export interface NewRollout {
  readonly models: readonly RolloutModel[];
  readonly spec: RolloutSpec;
  /** Of the body, so that an equal request finds the rollout that is under way. */
  readonly specHash: string;
  readonly startsAt: Date | undefined;
  readonly members: readonly Member[];
  /** Name of the token. */
  readonly createdBy: string;
  readonly key: RequestKey | undefined;
  /** Names the request in its trace. */
  readonly traceparent?: string | undefined;
}

export type CreateResult =
  | { readonly made: 'created' | 'existing' | 'replayed'; readonly id: string }
  /** The key came with another body before, or its first request is still running. */
  | { readonly made: 'key-reused' | 'in-progress' };

/** How long a key is remembered. */
const KEY_KEPT = "interval '7 days'";

/**
 * Writes a rollout and its hosts in one transaction: a snapshot of what the selector matched. Redis is not touched. An equal request
 * while the rollout is under way finds it.
 */
export async function createRollout(database: Database, rollout: NewRollout, now: Date): Promise<CreateResult> {
  return inTransaction(database, async (client) => {
    const repeated = rollout.key && (await repeatOf(client, rollout.key, now));
    if (repeated !== undefined) return repeated;
    const lock = "SELECT pg_advisory_xact_lock(hashtext('haulier rollout'), hashtext($1))";
    await client.query(lock, [rollout.specHash]);
    const equal = `SELECT id FROM rollouts WHERE spec_hash = $1 AND state IN (${OPEN_ROLLOUT_STATES}) LIMIT 1`;
    const existing = (await client.query<{ id: string }>(equal, [rollout.specHash])).rows[0];
    const id = existing?.id ?? (await insert(client, rollout, now));
    if (rollout.key !== undefined) await keepKey(client, rollout.key, id, now);
    return { made: existing === undefined ? 'created' : 'existing', id };
  });
}

/** @returns what a request with this key made before; undefined for the first one, which holds the key until it is done */
async function repeatOf(
  client: Client,
  { tokenId, key, bodyHash }: RequestKey,
  now: Date,
): Promise<CreateResult | undefined> {
  const lock = "SELECT pg_try_advisory_xact_lock(hashtext('haulier key'), hashtext($1)) AS won";
  const { rows } = await client.query<{ won: boolean }>(lock, [`${tokenId} ${key}`]);
  if (!rows[0]!.won) return { made: 'in-progress' };
  await client.query(`DELETE FROM idempotency_keys WHERE created_at < $1::timestamptz - ${KEY_KEPT}`, [now]);
  const find = `SELECT body_hash AS "bodyHash", rollout_id AS id FROM idempotency_keys WHERE token_id = $1 AND key = $2`;
  const known = (await client.query<{ bodyHash: string; id: string }>(find, [tokenId, key])).rows[0];
  if (known === undefined) return undefined;
  return known.bodyHash === bodyHash ? { made: 'replayed', id: known.id } : { made: 'key-reused' };
}

async function keepKey(client: Client, { tokenId, key, bodyHash }: RequestKey, id: string, now: Date): Promise<void> {
  const sql = `INSERT INTO idempotency_keys (token_id, key, body_hash, rollout_id, created_at) VALUES ($1, $2, $3, $4, $5)`;
  await client.query(sql, [tokenId, key, bodyHash, id, now]);
}

const ANALYZED_HOSTS = 1000;

const INSERT_SQL = `
  INSERT INTO rollouts AS r (models, spec, spec_hash, state, reason, starts_at, deadline_at, members_at, created_by,
    created_at, updated_at, traceparent)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $8, $10) RETURNING r.id`;

const HOSTS_SQL = `
  INSERT INTO rollout_hosts (rollout_id, host, site, position, is_late, wave, updated_at)
  SELECT $1, m.host, m.site, m.position, $5, $6, $4
  FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS m (host, site, position)
  ON CONFLICT DO NOTHING RETURNING host`;

async function insert(client: Client, rollout: NewRollout, now: Date): Promise<string> {
  const { models, spec, specHash, startsAt, members, createdBy } = rollout;
  const [state, reason] = spec.needsApproval
    ? ['awaiting_approval', 'it waits for its approval']
    : ['scheduled', 'it is about to start'];
  const deadlineAt = new Date(Math.max(now.getTime(), startsAt?.getTime() ?? 0) + spec.deadlineMs);
  const parameters = [JSON.stringify(models), JSON.stringify(spec), specHash, state, reason, startsAt, deadlineAt, now];
  const { rows } = await client.query<{ id: string }>(INSERT_SQL, [...parameters, createdBy, rollout.traceparent]);
  const { id } = rows[0]!;
  await client.query(HOSTS_SQL, [id, ...columnsOf(members), now, false, null]);
  // Until its statistics know this rollout, Postgres plans for one host, and compares each host with each.
  if (members.length >= ANALYZED_HOSTS) await client.query('ANALYZE rollout_hosts');
  const event = `INSERT INTO rollout_events (rollout_id, at, event, to_state, reason, actor) VALUES ($1, $2, 'create', $3, $4, $5)`;
  await client.query(event, [id, now, state, `${members.length} hosts match`, createdBy]);
  return id;
}

const columnsOf = (members: readonly Member[]): [hosts: string[], sites: string[]] => [
  members.map(({ host }) => host),
  members.map(({ site }) => site),
];

/**
 * Adds hosts that match a dynamic rollout now; known ones stay as they are. They get the models with the last wave.
 *
 * @returns how many are new
 */
export async function addLateHosts(
  database: Database,
  id: string,
  members: readonly Member[],
  now: Date,
): Promise<number> {
  return inTransaction(database, async (client) => {
    const sql = `UPDATE rollouts r SET members_at = $2 WHERE r.id = $1 AND r.state IN (${OPEN_ROLLOUT_STATES})
      RETURNING r.wave, jsonb_array_length(r.spec->'policy'->'waves') AS waves`;
    const row = (await client.query<{ wave: number; waves: number }>(sql, [id, now])).rows[0];
    if (row === undefined || members.length === 0) return 0;
    const wave = row.wave === row.waves - 1 ? row.wave : null;
    return (await client.query(HOSTS_SQL, [id, ...columnsOf(members), now, true, wave])).rowCount ?? 0;
  });
}
