import type pg from 'pg';
import type { EventBatch } from '#contracts/worker/worker-events';
import { announceMismatches } from './announce-mismatches.ts';
import type { RefusedBatch } from '../access/refused-events.ts';
import { applyChecks, type NewerVersion } from './apply-checks.ts';
import { applyInventories } from '../hosts/apply-inventory.ts';
import type { Database } from '../sql/connect.ts';
import * as sql from './event-sql.ts';
import { planEvents, type DownloadStep, type EventPlan, type NoticeEvent } from './event-waves.ts';
import { dropForeign, dropRepeats, type BatchProofs } from './batch-proofs.ts';
import * as hostSql from '../hosts/host-event-sql.ts';
import { noteHostsSeen } from '../hosts/note-hosts-seen.ts';
import { noteActivations } from '../rollouts/rounds/activate-hosts.ts';
import { inTransaction } from '../sql/transaction.ts';

export type ProgressStep = Extract<DownloadStep, { type: 'download.progress' }>;

/** A try as it was stored. */
export interface StoredTry {
  readonly downloadId: string;
  readonly attempt: number;
  readonly layer: string;
  readonly status: 'success' | 'failure';
  readonly errorKind: string | null;
  readonly latencyMs: number;
  /** Kept. */
  readonly bytes: number;
}

export interface StoredEnd {
  readonly result: 'success' | 'failure';
  readonly errorKind: string | null;
  /** From the request to the end. */
  readonly readyMs: number;
}

export interface AppliedEvents {
  /** Ids of downloads that started, stopped, ended or went on. Positions alone are not listed. */
  readonly moved: readonly string[];
  /** The last accepted position of each download that moved on. */
  readonly positions: readonly ProgressStep[];
  /** Hosts that reported. */
  readonly hosts: readonly string[];
  readonly notices: readonly NoticeEvent[];
  /** Tries that were not stored before, by download and in their order. */
  readonly tries: readonly StoredTry[];
  /** Downloads that succeeded or failed. */
  readonly ends: readonly StoredEnd[];
  /** Events of downloads that changed nothing: repeats, stragglers, illegal moves, other hosts' downloads. */
  readonly ignored: number;
  /** Newer versions that were not known before. */
  readonly newer: NewerVersion[];
  /** What a signature did not make believable: repeats, and downloads of other hosts. */
  readonly refused: RefusedBatch[];
}

/**
 * Applies the events of workers in one transaction, so that a caller acknowledges the batches only after all are stored. Batches may come twice, late, or beside another recorder: the result is the same. The order of the batches of
 * one host is the order in which it sent them.
 *
 * @param proofs of the batches that are signed
 * @param now our clock, which `heartbeat_at` and `last_seen_at` use instead of the worker's
 */
export async function applyEvents(
  database: Database,
  batches: readonly EventBatch[],
  now: Date,
  proofs: BatchProofs = new Map(),
): Promise<AppliedEvents> {
  // On their own, so that this transaction holds no row that a round of a rollout waits for.
  await noteActivations(database, planEvents(batches).activations, now);
  return inTransaction(database, async (client) => {
    const { fresh, refused } = await dropRepeats(client, batches, proofs);
    const all = planEvents(fresh);
    const hostOf = await lockRows(client, all, proofs.size > 0);
    const { plan, ...foreign } = dropForeign(all, fresh, proofs, hostOf);
    const moved = new Set<string>();
    const positions: ProgressStep[] = [];
    const ended: string[] = [];
    let ignored = eventsIn(batches) - eventsIn(fresh) + foreign.events;
    for (const wave of plan.waves) ignored += await applyWave(client, wave, now, { moved, positions, ended });
    const tries =
      plan.tries.length === 0 ? [] : (await client.query<StoredTry>(sql.TRIES_SQL, [JSON.stringify(plan.tries)])).rows;
    const ends = await countEnded(client, ended);
    await applyHosts(client, fresh, plan, now);
    for (const id of await applyInventories(client, plan.inventories, now)) moved.add(id);
    const newer = await applyChecks(client, plan.checks, now);
    await announceMismatches(client, plan.notices, plan.tries, now);
    const hosts = [...new Set([...plan.reports, ...plan.inventories].map(({ host }) => host))];
    return {
      moved: [...moved],
      positions,
      hosts,
      notices: plan.notices,
      tries,
      ends,
      ignored,
      newer,
      refused: [...refused, ...foreign.refused],
    };
  });
}

const eventsIn = (batches: readonly EventBatch[]): number =>
  batches.reduce((sum, { events }) => sum + events.length, 0);

/**
 * Locks the rows in one order, so that two recorders wait for each other instead of deadlocking.
 *
 * @param withTries reads the rows of tries as well, without locking them
 * @returns the host of each download that is known; null for the pool
 */
async function lockRows(
  client: pg.PoolClient,
  plan: EventPlan,
  withTries: boolean,
): Promise<ReadonlyMap<string, string | null>> {
  type Row = { readonly id: string; readonly host: string | null };
  const select = async (ids: readonly string[], lock: string): Promise<Row[]> => {
    const sql = `SELECT d.id, d.host FROM downloads d WHERE d.id = ANY($1::uuid[]) ORDER BY d.id ${lock}`;
    return ids.length === 0 ? [] : (await client.query<Row>(sql, [ids])).rows;
  };
  const locked = await select(plan.waves[0]?.map(({ downloadId }) => downloadId) ?? [], 'FOR NO KEY UPDATE');
  const tried = withTries
    ? await select(
        plan.tries.map(({ downloadId }) => downloadId),
        '',
      )
    : [];
  return new Map([...locked, ...tried].map(({ id, host }) => [id, host]));
}

async function countEnded(client: pg.PoolClient, ended: readonly string[]): Promise<StoredEnd[]> {
  if (ended.length === 0) return [];
  await client.query(sql.ROLL_UP_LOCK_SQL);
  await client.query(sql.ENDED_SQL, [ended]);
  return (await client.query<StoredEnd>(sql.ENDS_SQL, [ended])).rows;
}

/** What all waves of a set of batches did. */
interface WaveResults {
  readonly moved: Set<string>;
  readonly positions: ProgressStep[];
  /** Downloads that succeeded or failed. */
  readonly ended: string[];
}

/** @returns how many events of the wave changed nothing */
async function applyWave(
  client: pg.PoolClient,
  wave: readonly DownloadStep[],
  now: Date,
  { moved, positions, ended }: WaveResults,
): Promise<number> {
  let changed = 0;
  const run = async (statement: string, steps: readonly object[]): Promise<string[]> => {
    if (steps.length === 0) return [];
    const { rows } = await client.query<{ id: string }>(statement, [JSON.stringify(steps), now]);
    changed += rows.length;
    return rows.map(({ id }) => id);
  };
  const of = (type: DownloadStep['type']) => wave.filter((step) => step.type === type);
  const progress = wave.filter((step) => step.type === 'download.progress');
  const starts = of('download.started');
  if (starts.length > 0) await client.query(sql.KILLED_SQL, [JSON.stringify(starts)]);
  const positioned = new Set(await run(sql.PROGRESS_SQL, progress));
  const over = [
    ...(await run(sql.FAILED_SQL, of('download.failed'))),
    ...(await run(sql.FINISHED_SQL, of('download.finished').map(withGateway))),
  ];
  ended.push(...over);
  const ids = [
    ...(await run(
      sql.MISSED_START_SQL,
      progress.filter((step) => !positioned.has(step.downloadId)),
    )),
    ...(await run(sql.STARTED_SQL, starts)),
    ...(await run(sql.INTERRUPTED_SQL, of('download.interrupted'))),
  ];
  for (const id of [...ids, ...over]) moved.add(id);
  positions.push(...progress.filter(({ downloadId }) => positioned.has(downloadId)));
  return wave.length - changed;
}

/** Names the source that gave most bytes: what `cids.gateway` and `downloads.source` show. */
function withGateway(step: DownloadStep): DownloadStep & { gateway: string | null } {
  const shares = step.type === 'download.finished' ? [...step.sources] : [];
  return { ...step, gateway: shares.sort((a, b) => b.bytes - a.bytes)[0]?.source ?? null };
}

async function applyHosts(
  client: pg.PoolClient,
  batches: readonly EventBatch[],
  plan: EventPlan,
  now: Date,
): Promise<void> {
  await noteHostsSeen(client, batches, now);
  if (plan.reports.length > 0) await client.query(hostSql.REPORTS_SQL, [JSON.stringify(plan.reports)]);
  if (plan.notices.length > 0) {
    await client.query(hostSql.NOTICES_SQL, [JSON.stringify(plan.notices)]);
    await client.query(hostSql.NEWER_VERSIONS_SQL, [JSON.stringify(plan.notices)]);
  }
}
