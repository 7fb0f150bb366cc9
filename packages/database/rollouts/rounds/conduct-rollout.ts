import { nextSteps, type RolloutStep } from '#core/rollout/next-steps';
import type { RolloutEvent } from '#core/rollout/rollout-state';
import { plural } from '#core/text/plural';
import type { Database } from '../../sql/connect.ts';
import { announceRollout } from '../announce-rollout.ts';
import type { SiteWork } from '../../sites/site-budgets.ts';
import { inTransaction } from '../../sql/transaction.ts';
import { activateStaged, dueOrders, type ActivationOrder } from './activate-hosts.ts';
import { takeReadyHosts, writeDownloads } from './dispatch-hosts.ts';
import { endDownloads, type EndedDownload } from '../end-downloads.ts';
import { beginHold, endHold } from '../holds.ts';
import { moveHosts, moveRollout, type Client } from '../moves.ts';
import { noteThreshold } from './note-threshold.ts';
import { ROLLOUT_COLUMNS, type RolloutRow } from '../rollout-row.ts';
import { settlePresence, settleWork } from './settle-hosts.ts';
import { readSnapshot } from './snapshot.ts';
import { chargeHosts, workToCharge } from './site-admission.ts';
import { FINAL_HOST_LIST, OPEN_ROLLOUT_STATES, ZONE_SQL } from '../state-sql.ts';
import { supersedeOlder } from './supersede.ts';

/** What a round of a rollout depends on beside the database. */
export interface Circumstances {
  readonly now: Date;
  readonly isWindowOpen: boolean;
  /** Only hosts in these time zones may begin; undefined: all. */
  readonly openZones?: readonly string[] | undefined;
  /** Hosts that were heard of since this moment are online. */
  readonly aliveSince: Date;
  /** Of hosts that were not heard of since then nothing new is known; undefined looks at all. */
  readonly heardSince?: Date | undefined;
}

/** What a round did. */
export interface Conducted {
  /** False while another process has the rollout, or when it has its verdict and does not hold. */
  readonly isHeld: boolean;
  readonly steps: readonly RolloutStep[];
  /** Downloads that were cancelled: their jobs are to be taken out of their queues. */
  readonly ended: readonly EndedDownload[];
  /** Hosts that got work. */
  readonly dispatched: number;
  /** Hosts that are to be told to show the models; an order that was given before may be among them. */
  readonly orders: readonly ActivationOrder[];
}

const NOTHING: Conducted = { isHeld: false, steps: [], ended: [], dispatched: 0, orders: [] };

/** More than any rollout needs to come to rest; a round that reaches it goes on next time. */
const MAX_ROUNDS = 20;

/** A rollout that goes on. */
export interface GoingRollout extends RolloutRow {
  /** A host of it has not ended. */
  readonly hasOpenHosts: boolean;
}

const NEWEST_DECISION_FIRST = `CASE WHEN r.is_holding THEN coalesce(r.started_at, r.created_at) END DESC`;

/**
 * @returns rollouts without a verdict, by their priority and then by age: in this order they give work to hosts. Then those that hold, the
 * newest decision first, so that it is known to older ones
 */
export async function openRollouts(database: Database): Promise<GoingRollout[]> {
  const sql = `SELECT ${ROLLOUT_COLUMNS}, EXISTS (
      SELECT 1 FROM rollout_hosts h WHERE h.rollout_id = r.id AND h.state NOT IN (${FINAL_HOST_LIST})
    ) AS "hasOpenHosts"
    FROM rollouts r WHERE r.state IN (${OPEN_ROLLOUT_STATES}) OR r.is_holding
    ORDER BY r.is_holding, ${NEWEST_DECISION_FIRST}, coalesce((r.spec->>'priority')::int, 0), r.created_at, r.id`;
  return (await database.pool.query<GoingRollout>(sql)).rows;
}

/** @returns a text that differs when the rollout or one of its hosts was written since */
export async function rolloutMark(database: Database, id: string): Promise<string> {
  const sql = `SELECT r.version || ' ' || coalesce((SELECT max(h.updated_at)::text FROM rollout_hosts h WHERE h.rollout_id = r.id), '') AS mark
    FROM rollouts r WHERE r.id = $1`;
  return (await database.pool.query<{ mark: string }>(sql, [id])).rows[0]?.mark ?? '';
}

/** @returns the time zones of the hosts that have not ended */
export async function zonesOf(database: Database, id: string): Promise<string[]> {
  const sql = `SELECT DISTINCT ${ZONE_SQL} AS zone FROM rollout_hosts h LEFT JOIN hosts k ON k.name = h.host
    WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST})`;
  return (await database.pool.query<{ zone: string }>(sql, [id])).rows.map(({ zone }) => zone);
}

/**
 * Looks how a rollout stands, and carries out what it does next, until nothing is left to do: all in one transaction that holds
 * the rollout's row. A process that dies in the middle leaves nothing half done, and of several processes one does it.
 *
 * @returns what was done; nothing while another process has the rollout
 */
export async function conductRollout(database: Database, id: string, around: Circumstances): Promise<Conducted> {
  return inTransaction(database, async (client) => {
    const row = await lock(client, id);
    if (row === undefined) return NOTHING;
    const round = new Round(client, around);
    await round.settle(row);
    for (let count = 0; count < MAX_ROUNDS; count += 1) {
      const current = await reread(client, id);
      await settlePresence(client, current, around.aliveSince, around.now);
      const snapshot = await readSnapshot(client, current, around);
      await noteThreshold(client, current, snapshot.counts, around.now);
      const steps = nextSteps(snapshot, around.now.getTime());
      for (const step of steps) await round.carryOut(current, step);
      await round.writeDownloads(current);
      if (steps.length === 0) break;
    }
    await round.takeOrders(row);
    return round.conducted();
  });
}

const SELECT_SQL = `SELECT ${ROLLOUT_COLUMNS} FROM rollouts r WHERE r.id = $1`;

async function lock(client: Client, id: string): Promise<RolloutRow | undefined> {
  const sql = `${SELECT_SQL} AND (r.state IN (${OPEN_ROLLOUT_STATES}) OR r.is_holding) FOR UPDATE SKIP LOCKED`;
  return (await client.query<RolloutRow>(sql, [id])).rows[0];
}

const reread = async (client: Client, id: string): Promise<RolloutRow> =>
  (await client.query<RolloutRow>(SELECT_SQL, [id])).rows[0]!;

/** Carries out steps in one transaction and remembers what they did. */
class Round {
  readonly #client: Client;
  readonly #around: Circumstances;
  readonly #steps: RolloutStep[] = [];
  readonly #ended: EndedDownload[] = [];
  #dispatched = 0;
  #orders: readonly ActivationOrder[] = [];
  /** Hosts that were taken and have no downloads yet. */
  readonly #taken: string[] = [];
  /** What they lack, by site. */
  readonly #toCharge: (readonly [site: string, work: readonly SiteWork[]])[] = [];

  constructor(client: Client, around: Circumstances) {
    this.#client = client;
    this.#around = around;
  }

  conducted(): Conducted {
    return {
      ...{ isHeld: true, steps: this.#steps, ended: this.#ended },
      ...{ dispatched: this.#dispatched, orders: this.#orders },
    };
  }

  async takeOrders({ id, spec }: RolloutRow): Promise<void> {
    if (spec.mode === 'activate') this.#orders = await dueOrders(this.#client, id, this.#around.now);
  }

  async settle(row: RolloutRow): Promise<void> {
    const { aliveSince, heardSince, now } = this.#around;
    const given = await settleWork(this.#client, row, aliveSince, heardSince, now);
    await this.#end(row, given, 'its host failed in the rollout');
  }

  async carryOut(row: RolloutRow, step: RolloutStep): Promise<void> {
    this.#steps.push(step);
    switch (step.do) {
      case 'move':
        return this.#move(row, step);
      case 'open-wave':
        return openWave(this.#client, row, step.wave, step.hosts, this.#around.now);
      case 'dispatch':
        return this.#dispatch(row, step.site, step.hosts);
      case 'activate':
        return activateStaged(this.#client, row.id, this.#around.now);
      case 'end-hosts':
        return this.#endHosts(row, step.as);
    }
  }

  async #move(row: RolloutRow, step: Extract<RolloutStep, { do: 'move' }>): Promise<void> {
    const { now } = this.#around;
    const { event, pauseReason, sentence } = step;
    const soakUntil = step.soakUntil === undefined ? undefined : new Date(step.soakUntil);
    const moved = await moveRollout(this.#client, row.id, { event, pauseReason, soakUntil, reason: sentence }, now);
    if (!moved) throw new Error(`rollout ${row.id} cannot ${event} while it is ${row.state}`);
    if (isVerdict(event)) await this.#endLate(row, now);
    if (event === 'start' && row.spec.supersede === 'same-model')
      this.#ended.push(...(await supersedeOlder(this.#client, row, now)));
  }

  async #endLate(row: RolloutRow, now: Date): Promise<void> {
    const after = await reread(this.#client, row.id);
    if (after.isHolding) await beginHold(this.#client, after, now);
    else await leaveLateHosts(this.#client, row.id, now);
  }

  async #dispatch(row: RolloutRow, site: string, count: number): Promise<void> {
    const hosts = await takeReadyHosts(this.#client, row, { site, count }, this.#around);
    this.#toCharge.push([site, await workToCharge(this.#client, row, site, hosts)]);
    this.#taken.push(...hosts);
  }

  /** For the hosts of all sites together. */
  async writeDownloads(row: RolloutRow): Promise<void> {
    const { now } = this.#around;
    const [hosts, toCharge] = [this.#taken.splice(0), this.#toCharge.splice(0)];
    this.#dispatched += hosts.length;
    if (hosts.length === 0) return;
    if (await writeDownloads(this.#client, row, hosts, now)) {
      for (const [site, work] of toCharge) if (work.length > 0) await chargeHosts(this.#client, row, site, work, now);
      return;
    }
    const reason = 'a version of its models was deleted';
    if (row.isHolding) return endHold(this.#client, row.id, { reason }, now);
    await this.#endHosts(row, 'cancelled');
    await moveRollout(this.#client, row.id, { event: 'fail', reason }, now);
  }

  async #endHosts(row: RolloutRow, as: 'timed_out' | 'cancelled'): Promise<void> {
    const reason = as === 'timed_out' ? 'the deadline of the rollout passed' : 'the rollout ended';
    const due = `SELECT h.host, h.state AS from_state, $3 AS event, $4::text AS failure_class, $5::text AS reason
      FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST})`;
    const [event, failureClass] = as === 'timed_out' ? ['fail', 'timed_out'] : ['cancel', null];
    const moved = await moveHosts(this.#client, row.id, due, [event, failureClass, reason], this.#around.now);
    await this.#end(
      row,
      moved.map(({ host }) => host),
      reason,
    );
  }

  async #end(row: RolloutRow, hosts: readonly string[], reason: string): Promise<void> {
    this.#ended.push(...(await endDownloads(this.#client, row.id, hosts, reason, this.#around.now)));
  }
}

const NEXT_SQL = `
  SELECT c.host FROM rollout_hosts c
  WHERE c.rollout_id = $1 AND c.wave IS NULL AND c.state = 'pending' AND c.is_late = $2
  ORDER BY c.position, c.host LIMIT $3`;

const OPEN_SQL = `
  WITH taken AS (
    UPDATE rollout_hosts h SET wave = $2, updated_at = $4 WHERE h.rollout_id = $1 AND h.host = ANY($3::text[])
  ), opened AS (
    UPDATE rollouts r SET wave = $2, soak_until = NULL, is_gate_open = false, brake_finished = 0, brake_failed = 0,
      reason = $5, version = r.version + 1, updated_at = $4
    WHERE r.id = $1 RETURNING r.state
  )
  INSERT INTO rollout_events (rollout_id, at, event, from_state, to_state, reason)
  SELECT $1, $4, 'open_wave', state, state, $5 FROM opened`;

/** Late hosts join the last wave. */
async function openWave(client: Client, row: RolloutRow, wave: number, count: number, now: Date): Promise<void> {
  const { waves } = row.spec.policy;
  const next = async (isLate: boolean, limit: number | null): Promise<string[]> =>
    (await client.query<{ host: string }>(NEXT_SQL, [row.id, isLate, limit])).rows.map(({ host }) => host);
  const late = wave === waves.length - 1 ? await next(true, null) : [];
  const hosts = [...(await next(false, count)), ...late];
  const sentence = `wave ${waves[wave]!.name} (${wave + 1} of ${waves.length}) takes ${plural(count, 'host')}`;
  await client.query(OPEN_SQL, [row.id, wave, hosts, now, sentence]);
  await announceRollout(client, row.id, ['wave.opened'], now);
}

const isVerdict = (event: RolloutEvent): boolean =>
  event === 'succeed' || event === 'succeed_partly' || event === 'fail' || event === 'time_out';

/** Hosts that joined late are not waited for. */
async function leaveLateHosts(client: Client, id: string, now: Date): Promise<void> {
  const due = `SELECT h.host, h.state AS from_state, 'cancel' AS event, NULL AS failure_class,
      'it joined late, and the rollout has its verdict; downloads that were begun go on' AS reason
    FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.is_late AND h.state NOT IN (${FINAL_HOST_LIST})`;
  await moveHosts(client, id, due, [], now);
}
