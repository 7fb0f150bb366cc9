import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { endDownloads, type EndedDownload } from './end-downloads.ts';
import { endHold } from './holds.ts';
import { beginAnew, moveHosts, moveRollout, type Client } from './moves.ts';
import { ROLLOUT_COLUMNS, type RolloutRow } from './rollout-row.ts';
import { FINAL_HOST_LIST } from './state-sql.ts';

/** What became of what a person asked for. */
export type ActionResult =
  | { readonly done: true; readonly ended: readonly EndedDownload[] }
  /** `illegal`: not possible from `row.state`. `changed`: the version is not the one that was named. */
  | { readonly done: false; readonly why: 'illegal' | 'changed'; readonly row: RolloutRow }
  | { readonly done: false; readonly why: 'missing' };

export interface Action {
  readonly id: string;
  /** Name of the token that asks. */
  readonly actor: string;
  /** The version that was read; the action is refused when the rollout has another one. */
  readonly onlyIfVersion?: number | undefined;
  readonly now: Date;
}

type Act = (client: Client, row: RolloutRow) => Promise<readonly EndedDownload[] | undefined>;

/** Holds the rollout until it is resumed: running hosts go on, no other begins. */
export const pauseRollout = (database: Database, action: Action): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    const move = { event: 'pause', pauseReason: 'manual', reason: `${action.actor} paused it` } as const;
    return (await moveRollout(client, row.id, { ...move, actor: action.actor }, action.now)) ? [] : undefined;
  });

/** Lets the rollout go on: a gate opens, and the abort limits count from here. */
export const resumeRollout = (database: Database, action: Action): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    const move = { event: 'resume', reason: `${action.actor} resumed it`, actor: action.actor } as const;
    if (!(await moveRollout(client, row.id, move, action.now))) return undefined;
    await releaseBrake(client, row.id);
    const gate = 'UPDATE rollouts SET is_gate_open = is_gate_open OR $2 WHERE id = $1';
    await client.query(gate, [row.id, row.pauseReason === 'gate']);
    return [];
  });

/** Ends the rollout: what its hosts do not have yet is not wanted any more. */
export const cancelRollout = (database: Database, action: Action): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    const reason = `${action.actor} cancelled the rollout`;
    if (!(await moveRollout(client, row.id, { event: 'cancel', reason, actor: action.actor }, action.now)))
      return undefined;
    const due = `SELECT h.host, h.state AS from_state, 'cancel' AS event, NULL AS failure_class, $3::text AS reason
      FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST})`;
    const moved = await moveHosts(client, row.id, due, [reason], action.now);
    const hosts = moved.map(({ host }) => host);
    return endDownloads(client, row.id, hosts, reason, action.now);
  });

/** Lets a rollout that needs an approval start. */
export const approveRollout = (database: Database, action: Action): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    const move = { event: 'approve', reason: `${action.actor} approved it`, actor: action.actor } as const;
    if (!(await moveRollout(client, row.id, move, action.now))) return undefined;
    await client.query('UPDATE rollouts SET is_approved = true WHERE id = $1', [row.id]);
    return [];
  });

/** Ends the hold of a rollout: hosts that come later do not get its models any more; what hosts have stays. */
export const releaseRollout = (database: Database, action: Action): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    if (!row.isHolding) return undefined;
    await endHold(client, row.id, { reason: `${action.actor} released it`, actor: action.actor }, action.now);
    return [];
  });

/** Which hosts are tried again; all that failed where nothing is named. */
export interface RetryFilter {
  readonly hosts?: readonly string[] | undefined;
  /** Failure classes. */
  readonly reasons?: readonly string[] | undefined;
}

const RETRY_SQL = `
  SELECT h.host, h.state AS from_state, 'retry' AS event, NULL AS failure_class, NULL AS reason FROM rollout_hosts h
  WHERE h.rollout_id = $1 AND h.state IN ('failed', 'cancelled') AND ($3::text[] IS NULL OR h.host = ANY($3))
    AND ($4::text[] IS NULL OR h.failure_class = ANY($4))`;

/**
 * Tries hosts again that failed or were cancelled; their downloads go on where they stopped. A rollout that had ended runs again, with
 * its whole deadline; one that succeeded and holds goes on holding.
 */
export const retryRollout = (database: Database, action: Action, filter: RetryFilter): Promise<ActionResult> =>
  act(database, action, async (client, row) => {
    if ((row.state === 'succeeded' && !row.isHolding) || row.state === 'cancelled' || row.state === 'superseded')
      return undefined;
    const { id } = row;
    const moved = await moveHosts(client, id, RETRY_SQL, [filter.hosts ?? null, filter.reasons ?? null], action.now);
    const hosts = moved.map(({ host }) => host);
    if (hosts.length === 0) return [];
    await beginAnew(client, id, hosts);
    const reason = `${action.actor} asked to try ${hosts.length} hosts again`;
    const restarted = await moveRollout(client, id, { event: 'retry', reason, actor: action.actor }, action.now);
    const deadlineAt = new Date(action.now.getTime() + row.spec.deadlineMs);
    if (restarted) await client.query('UPDATE rollouts SET deadline_at = $2 WHERE id = $1', [id, deadlineAt]);
    await releaseBrake(client, id);
    return [];
  });

/** What ended in the open wave until now does not count for the abort limits any more. */
async function releaseBrake(client: Client, id: string): Promise<void> {
  const sql = `UPDATE rollouts r SET brake_finished = c.finished, brake_failed = c.failed, version = r.version + 1
    FROM (
      SELECT count(*) FILTER (WHERE h.state IN ('done', 'failed', 'cancelled')) AS finished,
        count(*) FILTER (WHERE h.state IN ('failed', 'cancelled')) AS failed
      FROM rollout_hosts h JOIN rollouts o ON o.id = h.rollout_id AND o.wave = h.wave WHERE h.rollout_id = $1
    ) c WHERE r.id = $1`;
  await client.query(sql, [id]);
}

/** One transaction that holds the rollout's row. */
async function act(database: Database, { id, onlyIfVersion }: Action, work: Act): Promise<ActionResult> {
  return inTransaction(database, async (client): Promise<ActionResult> => {
    const sql = `SELECT ${ROLLOUT_COLUMNS} FROM rollouts r WHERE r.id = $1 FOR UPDATE`;
    const row = (await client.query<RolloutRow>(sql, [id])).rows[0];
    if (row === undefined) return { done: false, why: 'missing' };
    if (onlyIfVersion !== undefined && onlyIfVersion !== row.version) return { done: false, why: 'changed', row };
    const ended = await work(client, row);
    return ended === undefined ? { done: false, why: 'illegal', row } : { done: true, ended };
  });
}
