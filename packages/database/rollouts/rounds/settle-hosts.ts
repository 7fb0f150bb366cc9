import { ACTIVE_HOST_STATES } from '#core/rollout/host-state';
import type { RolloutRow } from '../rollout-row.ts';
import { moveHosts, type Client } from '../moves.ts';
import { FINAL_HOST_LIST, nextHostSql } from '../state-sql.ts';

/** Why a host leaves its wave before it got work. */
const OFFLINE = {
  wait: { event: 'go_offline', failureClass: null, reason: 'it is offline or draining, and is waited for' },
  skip: { event: 'skip', failureClass: null, reason: 'it was offline or draining, and such hosts are skipped' },
  fail: { event: 'fail', failureClass: 'offline', reason: 'it was offline or draining, and such hosts fail' },
} as const;

const PRESENCE_SQL = `
  SELECT s.host, s.from_state, CASE WHEN s.online THEN 'come_back' ELSE $4 END AS event,
    CASE WHEN NOT s.online THEN $5::text END AS failure_class, CASE WHEN NOT s.online THEN $6::text END AS reason
  FROM (
    SELECT h.host, h.state AS from_state, (k.last_seen_at >= $3 AND NOT k.draining) IS TRUE AS online
    FROM rollout_hosts h LEFT JOIN hosts k ON k.name = h.host
    WHERE h.rollout_id = $1 AND h.wave IS NOT NULL AND h.state IN ('pending', 'offline')
  ) s
  WHERE s.online = (s.from_state = 'offline')`;

/** Applies the offline policy to hosts of opened waves that have no work yet; a rollout that holds waits. @param aliveSince hosts heard of since are online */
export async function settlePresence(
  client: Client,
  { id, spec, isHolding }: RolloutRow,
  aliveSince: Date,
  now: Date,
): Promise<void> {
  const { event, failureClass, reason } = OFFLINE[isHolding ? 'wait' : spec.offline];
  await moveHosts(client, id, PRESENCE_SQL, [aliveSince, event, failureClass, reason], now);
}

/** A download waits because no source can be used: the host is not to blame. */
const BLOCKED = `d.status = 'paused' AND d.pause_reason = 'sources_unavailable'`;

const ago = (parameter: string): string => `$2::timestamptz - ${parameter}::bigint * interval '1 millisecond'`;

/**
 * Active hosts of which there may be something new: they were heard of or moved since `$7`, fell silent, or came to a limit of time. Every event
 * of a worker updates `last_seen_at`. Without `$7` all of them.
 */
const DUE_SQL = `
  SELECT h.rollout_id, h.host, h.state, h.bytes, h.dispatched_at, h.progress_at, h.activated_at, h.activation_class,
    h.activation_error, k.last_seen_at >= $4 IS TRUE AS alive
  FROM rollout_hosts h LEFT JOIN hosts k ON k.name = h.host
  WHERE h.rollout_id = $1 AND h.state = ANY($3::text[]) AND ($7::timestamptz IS NULL
    OR k.last_seen_at >= $7 OR h.updated_at >= $7
    OR (h.state <> 'unknown' AND (k.last_seen_at >= $4) IS NOT TRUE)
    OR h.progress_at <= ${ago('$5')} OR h.dispatched_at <= ${ago('$6')})`;

/** What the downloads of each of these hosts say. Host by host, so that a few hosts of many cost little. */
const WORK_SQL = `
  SELECT h.host, h.state AS from_state, h.bytes AS old_bytes, h.dispatched_at, h.progress_at, h.activated_at,
    h.activation_class, h.activation_error, h.alive, f.*
  FROM due h CROSS JOIN LATERAL (
    SELECT count(d.id) AS files,
      count(*) FILTER (WHERE d.status = 'success') AS done,
      count(*) FILTER (WHERE d.status = 'failed') AS failed,
      count(*) FILTER (WHERE d.status = 'cancelled') AS cancelled,
      count(*) FILTER (WHERE d.status IN ('in_progress', 'resuming')) AS running,
      count(*) FILTER (WHERE ${BLOCKED}) > 0
        AND count(*) FILTER (WHERE d.status IN ('pending', 'in_progress', 'resuming')) = 0 AS blocked,
      count(*) FILTER (WHERE d.status = 'paused' AND d.pause_reason = 'disk_full') AS without_space,
      coalesce(bool_and(d.outcome = 'cache_hit'), false) AS cached,
      coalesce(sum(d.downloaded_bytes), 0)::bigint AS bytes,
      coalesce(sum(d.total_bytes), 0)::bigint AS total_bytes,
      coalesce(sum(d.bytes_per_second), 0)::bigint AS bytes_per_second,
      min(coalesce(d.error_kind, 'failed')) FILTER (WHERE d.status = 'failed') AS error_kind,
      min(d.path || ': ' || coalesce(d.error, d.reason, 'failed')) FILTER (WHERE d.status = 'failed') AS error,
      min(d.path || ': ' || d.reason) FILTER (WHERE d.status = 'paused') AS waits
    FROM rollout_downloads l JOIN downloads d ON d.id = l.download_id
    WHERE l.rollout_id = h.rollout_id AND l.host = h.host
  ) f`;

/** A host with every file: it is done, or its activation decides. `$8` is true where the rollout activates. */
const COMPLETE = `CASE WHEN NOT $8::boolean THEN 'finish'
  WHEN w.activated_at IS NOT NULL THEN CASE WHEN w.activation_class IS NULL THEN 'finish' ELSE 'fail' END
  WHEN w.from_state IN ('queued', 'downloading', 'verifying') THEN 'stage' END`;

/** A staged host waits for the rollout, not for bytes. */
const STALLS = `w.bytes = w.old_bytes AND NOT w.blocked AND w.from_state <> 'staged' AND w.progress_at <= ${ago('$5')}`;

/** `$4` hosts heard of since are alive; `$5` longest time without a new byte and `$6` longest time in all, milliseconds. */
const JUDGED_SQL = `
  SELECT w.*, w.bytes <> w.old_bytes OR w.blocked AS moves,
    CASE
      WHEN w.failed > 0 OR w.files = 0 THEN 'fail'
      WHEN w.cancelled > 0 THEN 'cancel'
      WHEN w.done = w.files AND ${COMPLETE} IS NOT NULL THEN ${COMPLETE}
      WHEN ${STALLS} THEN 'fail'
      WHEN w.dispatched_at <= ${ago('$6')} THEN 'fail'
      WHEN NOT w.alive THEN CASE WHEN w.from_state <> 'unknown' THEN 'lose' END
      WHEN w.running > 0 THEN CASE WHEN w.from_state IN ('queued', 'unknown') THEN 'start' END
      WHEN w.from_state = 'unknown' THEN 'come_back'
    END AS event
  FROM (${WORK_SQL}) w`;

const FAILURE_CLASS = `CASE WHEN j.event <> 'fail' THEN NULL WHEN j.failed > 0 THEN j.error_kind WHEN j.files = 0 THEN 'lost'
  WHEN j.done = j.files AND j.activation_class IS NOT NULL THEN j.activation_class
  WHEN j.dispatched_at <= ${ago('$6')} THEN 'host_deadline' WHEN NOT j.alive THEN 'worker_lost'
  WHEN j.without_space > 0 THEN 'disk_full' WHEN j.from_state = 'activating' THEN 'activation_lost' ELSE 'stalled' END`;

const REASON = `CASE WHEN j.event = 'finish' THEN NULL WHEN j.event = 'cancel' THEN 'a download of it was cancelled'
  WHEN j.event = 'lose' THEN 'its worker fell silent while it had work'
  WHEN j.event = 'fail' THEN CASE WHEN j.failed > 0 THEN j.error WHEN j.files = 0 THEN 'its downloads are gone'
    WHEN j.done = j.files AND j.activation_class IS NOT NULL THEN j.activation_error
    WHEN j.dispatched_at <= ${ago('$6')} THEN 'it took longer than a host may'
    WHEN NOT j.alive THEN 'its worker fell silent and did not come back'
    WHEN j.without_space > 0 THEN j.waits
    WHEN j.from_state = 'activating' THEN 'its worker did not answer that it shows the version' ELSE 'no new byte for longer than a host may stall' END
  ELSE j.waits END`;

const NEXT = nextHostSql('j.event', 'j.from_state');

const SETTLE_SQL = `
  WITH due AS MATERIALIZED (${DUE_SQL}), judged AS MATERIALIZED (${JUDGED_SQL}), moved AS (
    UPDATE rollout_hosts h SET state = coalesce(${NEXT}, h.state), failure_class = ${FAILURE_CLASS}, reason = ${REASON},
      already_present = j.event IS NOT DISTINCT FROM 'finish' AND j.cached, is_blocked = j.blocked, bytes = j.bytes,
      total_bytes = j.total_bytes, bytes_per_second = CASE WHEN j.running > 0 THEN j.bytes_per_second ELSE 0 END,
      progress_at = CASE WHEN j.moves OR j.event IN ('start', 'come_back') THEN $2::timestamptz ELSE h.progress_at END,
      ended_at = CASE WHEN ${NEXT} IN (${FINAL_HOST_LIST}) THEN $2::timestamptz END, updated_at = $2
    FROM judged j
    WHERE h.rollout_id = $1 AND h.host = j.host AND (j.event IS NOT NULL OR j.moves OR h.is_blocked <> j.blocked
      OR h.bytes_per_second <> j.bytes_per_second OR h.reason IS DISTINCT FROM j.waits)
    RETURNING h.host, j.event, j.from_state, h.state AS to_state, h.reason, j.failed
  ), told AS (
    INSERT INTO rollout_events (rollout_id, at, host, event, from_state, to_state, reason)
    SELECT $1, $2, host, event, from_state, to_state, reason FROM moved WHERE to_state <> from_state ORDER BY host
  )
  SELECT host FROM moved WHERE event = 'fail' AND failed = 0`;

/**
 * Derives where each active host stands from its downloads, and fails those that stall.
 *
 * @param heardSince looks only at hosts that were heard of since then, and at those whose time has come; undefined: at all
 * @returns hosts that failed although none of their downloads did: these downloads are not waited for any more
 */
export async function settleWork(
  client: Client,
  { id, spec }: RolloutRow,
  aliveSince: Date,
  heardSince: Date | undefined,
  now: Date,
): Promise<string[]> {
  const { stallMs, deadlineMs = null } = spec.host;
  const timed = [now, ACTIVE_HOST_STATES, aliveSince, stallMs, deadlineMs, heardSince ?? null];
  const parameters = [id, ...timed, spec.mode === 'activate'];
  return (await client.query<{ host: string }>(SETTLE_SQL, parameters)).rows.map(({ host }) => host);
}
