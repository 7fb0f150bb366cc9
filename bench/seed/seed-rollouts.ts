import type { RolloutHostState } from '#core/rollout/host-state';
import type { RolloutModel, RolloutSpec } from '#core/rollout/rollout-spec';
import { ROLLOUT_STATES, type PauseReason, type RolloutState } from '#core/rollout/rollout-state';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#core/units';
import type { Database } from '#database/sql/connect';
import { seedUuid, seedUuidSql } from './seed-ids.ts';
import { HOST_NAME_SQL } from './seed-hosts.ts';
import type { SeedFile } from './seed-models.ts';

interface RolloutPlan {
  readonly hosts: number;
  readonly days: number;
  readonly now: Date;
  readonly onlineForMs: number;
  readonly files: readonly SeedFile[];
  readonly onProgress: (rollouts: number, hosts: number) => void;
}

interface SeedRollout {
  readonly state: RolloutState;
  readonly pauseReason: PauseReason | null;
  readonly model: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  readonly hosts: number;
  /** Shares of the hosts by state, of 100; the rest is `pending`. */
  readonly shares: Readonly<Partial<Record<RolloutHostState, number>>>;
}

/** Hosts of one rollout: more would take long to write for each of some ninety. */
const MAX_HOSTS = 2000;
const ROLLOUTS_A_DAY = 4;
const OPEN: readonly RolloutState[] = ['awaiting_approval', 'scheduled', 'running', 'soaking', 'paused'];

/** How the hosts of a rollout stand, by its state. */
const SHARES: Readonly<Record<RolloutState, SeedRollout['shares']>> = {
  awaiting_approval: {},
  scheduled: {},
  running: { done: 41, downloading: 14, queued: 9, failed: 1, offline: 2 },
  soaking: { done: 10 },
  paused: { done: 22, failed: 6, downloading: 4 },
  succeeded: { done: 100 },
  succeeded_with_failures: { done: 98, failed: 2 },
  failed: { done: 61, failed: 9, cancelled: 30 },
  timed_out: { done: 84, failed: 16 },
  cancelled: { done: 33, cancelled: 67 },
  superseded: { done: 55, superseded: 45 },
};

/** Writes rollouts in every state; the ended ones are spread over the days. @returns rollouts and their hosts */
export async function seedRollouts(
  database: Database,
  plan: RolloutPlan,
): Promise<{ readonly rollouts: number; readonly hosts: number }> {
  const rollouts = rolloutsOf(plan);
  let hosts = 0;
  for (const [index, rollout] of rollouts.entries()) {
    hosts += await writeRollout(database, plan, rollout, index);
    plan.onProgress(index + 1, hosts);
  }
  return { rollouts: rollouts.length, hosts };
}

function rolloutsOf({ hosts, days, now, files }: RolloutPlan): SeedRollout[] {
  const models = [...new Set(files.map(({ model }) => model))];
  const rare = ROLLOUT_STATES.filter((state) => !OPEN.includes(state) && !state.startsWith('succeeded'));
  const count = days * ROLLOUTS_A_DAY;
  const make = (state: RolloutState, index: number, createdAt: Date, endedAt: Date | null): SeedRollout => ({
    ...{ state, createdAt, endedAt, shares: SHARES[state] },
    pauseReason: state === 'paused' ? 'threshold' : null,
    model: models[index % models.length]!,
    hosts: Math.max(1, Math.min(MAX_HOSTS, hosts, Math.ceil(hosts / (1 + (index % 7))))),
  });
  const past = Array.from({ length: count }, (_, index) => {
    const createdAt = new Date(now.getTime() - ((count - index) / ROLLOUTS_A_DAY) * DAY_MS);
    // Most succeed.
    const state =
      index % 5 < 3
        ? index % 2 === 0
          ? 'succeeded'
          : 'succeeded_with_failures'
        : rare[(2 * Math.floor(index / 5) + (index % 5) - 3) % rare.length]!;
    return make(state, index, createdAt, new Date(createdAt.getTime() + (4 + (index % 40)) * MINUTE_MS));
  });
  const open = OPEN.map((state, index) =>
    make(state, index, new Date(now.getTime() - (index + 1) * 3 * MINUTE_MS), null),
  );
  return [...past, ...open];
}

async function writeRollout(
  { pool }: Database,
  plan: RolloutPlan,
  rollout: SeedRollout,
  index: number,
): Promise<number> {
  const files = plan.files.filter((file) => file.isCurrent && file.model === rollout.model);
  const model: RolloutModel = {
    name: rollout.model,
    version: files[0]!.version,
    files: files.length,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
  const isOpen = rollout.endedAt === null;
  const spec = specOf(rollout, index);
  const id = seedUuid(`rollout ${index} ${plan.days}`);
  const startedAt = rollout.state === 'awaiting_approval' || rollout.state === 'scheduled' ? null : rollout.createdAt;
  const ahead = new Date(plan.now.getTime() + plan.onlineForMs);
  const startsAt = rollout.state === 'scheduled' ? ahead : null;
  const inserted = await pool.query(ROLLOUT_SQL, [
    ...[
      id,
      JSON.stringify([model]),
      JSON.stringify(spec),
      seedUuid(`spec ${index}`),
      rollout.state,
      rollout.pauseReason,
    ],
    ...[reasonOf(rollout.state), startedAt === null ? -1 : 0, rollout.state === 'soaking' ? ahead : null, startsAt],
    ...[
      new Date(ahead.getTime() + DAY_MS),
      rollout.createdAt,
      startedAt,
      rollout.endedAt,
      ['pipeline', 'alice', 'bob'][index % 3],
    ],
  ]);
  if (inserted.rowCount === 0) return 0;
  const bounds = boundsOf(rollout.shares);
  const parameters = [id, rollout.hosts, plan.hosts, JSON.stringify(bounds), model.sizeBytes];
  const times = [rollout.createdAt, rollout.endedAt ?? plan.now, isOpen ? ahead : rollout.endedAt, index];
  const { rowCount } = await pool.query(HOSTS_SQL, [...parameters, ...times]);
  await pool.query(EVENTS_SQL, [id, rollout.createdAt, rollout.endedAt, rollout.state, rollout.hosts]);
  if (isOpen && startedAt !== null) await pool.query(OPEN_DOWNLOADS_SQL, [id, JSON.stringify(files), plan.now, ahead]);
  return rowCount ?? 0;
}

/** Cumulated shares, so that a number from 0 to 99 finds its state. */
function boundsOf(shares: SeedRollout['shares']): { state: string; upTo: number }[] {
  let upTo = 0;
  return Object.entries(shares).map(([state, share]) => ({ state, upTo: (upTo += share) }));
}

const specOf = ({ state }: SeedRollout, index: number): RolloutSpec => ({
  selector: ['gpu=true', 'tier=production', 'site=eu-1', ''][index % 4]!,
  exclude: [],
  policy: {
    waves:
      state === 'soaking'
        ? [
            { name: 'canary', size: { hosts: 10 }, gate: 'auto', soakMs: HOUR_MS },
            { name: 'all', size: { share: 10_000 }, gate: 'auto', soakMs: 0 },
          ]
        : [{ name: 'all', size: { share: 10_000 }, gate: 'auto', soakMs: 0 }],
    successShare: 9_800,
    abort: { failedShare: 500, minSample: 20, action: 'pause' },
    onFailure: 'continue',
    concurrency: { global: 500 },
  },
  offline: 'wait',
  host: { stallMs: HOUR_MS },
  deadlineMs: DAY_MS,
  isDynamic: false,
  supersede: 'none',
  windows: [],
  needsApproval: state === 'awaiting_approval',
});

const reasonOf = (state: RolloutState): string =>
  ({
    awaiting_approval: 'it waits for its approval',
    scheduled: 'its start time has not come',
    running: 'hosts are at work',
    soaking: 'the wave is done and is watched',
    paused: 'too many hosts failed: 6 of 32',
    succeeded: 'every host has the files',
    succeeded_with_failures: 'enough hosts have the files',
    failed: 'too many hosts failed',
    timed_out: 'the deadline passed',
    cancelled: 'a person cancelled it',
    superseded: 'a newer rollout wants the same',
  })[state];

const ROLLOUT_SQL = `
  INSERT INTO rollouts (id, models, spec, spec_hash, state, pause_reason, reason, wave, soak_until, starts_at, deadline_at, members_at,
    created_by, created_at, started_at, ended_at, updated_at, is_approved, threshold_at)
  VALUES ($1, $2, $3, $4, $5::text, $6, $7, $8, $9, $10, $11, $12::timestamptz, $15, $12::timestamptz, $13, $14::timestamptz,
    coalesce($14::timestamptz, $12::timestamptz), $5::text <> 'awaiting_approval', CASE WHEN $5::text LIKE 'succeeded%' THEN $14::timestamptz END)
  ON CONFLICT DO NOTHING`;

/** `$4` bounds of the states, `$5` bytes of the version, `$6` from, `$7` to, `$8` the last news of an active host. */
const HOSTS_SQL = `
  INSERT INTO rollout_hosts (rollout_id, host, site, position, wave, state, failure_class, reason, already_present, bytes, total_bytes,
    bytes_per_second, dispatched_at, progress_at, ended_at, updated_at)
  SELECT $1::uuid, host, 'site ' || n % 5, n, CASE WHEN state <> 'pending' THEN 0 END, state,
    CASE WHEN state = 'failed' THEN (ARRAY['disk_full', 'worker_lost', 'digest-mismatch', 'unreachable'])[1 + n % 4] END,
    CASE WHEN state = 'failed' THEN (ARRAY['model.onnx: the disk is full', 'its worker fell silent and did not come back',
      'model.onnx: gateway-2.example sent bytes with another digest', 'model.onnx: no source could be reached'])[1 + n % 4]
      WHEN state = 'offline' THEN 'it is offline or draining, and is waited for' END,
    state = 'done' AND n % 9 = 0, CASE state WHEN 'done' THEN $5::bigint WHEN 'downloading' THEN $5::bigint * (n % 90) / 100 ELSE 0 END, $5::bigint,
    CASE WHEN state = 'downloading' THEN 8000000 + (n * 7919) % 40000000 ELSE 0 END,
    CASE WHEN state NOT IN ('pending', 'offline') THEN CASE WHEN final THEN $6::timestamptz ELSE $8::timestamptz END END,
    CASE WHEN state NOT IN ('pending', 'offline') THEN CASE WHEN final THEN $6::timestamptz ELSE $8::timestamptz END END,
    CASE WHEN final THEN least($7::timestamptz, $6::timestamptz + (n % 300) * interval '1 second') END, $7::timestamptz
  FROM (
    SELECT n, ${HOST_NAME_SQL('(1 + (n * 13 + $9::int) % $3::int)')} AS host, coalesce((
        SELECT b.state FROM jsonb_to_recordset($4::jsonb) AS b (state text, "upTo" int)
        WHERE (n * 37) % 100 < b."upTo" ORDER BY b."upTo" LIMIT 1), 'pending') AS state
    FROM generate_series(0, $2::int - 1) n
  ) placed, LATERAL (SELECT state IN ('done', 'failed', 'skipped', 'cancelled', 'superseded') AS final) f
  ON CONFLICT DO NOTHING`;

const EVENTS_SQL = `
  INSERT INTO rollout_events (rollout_id, at, event, from_state, to_state, reason)
  SELECT $1::uuid, $2::timestamptz, 'create', NULL::text, 'scheduled', $5::int || ' hosts match'
  UNION ALL SELECT $1::uuid, $2::timestamptz + interval '1 second', 'start', 'scheduled', 'running', NULL
    WHERE $4::text NOT IN ('awaiting_approval', 'scheduled')
  UNION ALL SELECT $1::uuid, $3::timestamptz, 'end', 'running', $4::text, NULL WHERE $3::timestamptz IS NOT NULL`;

/** Downloads of the hosts of an open rollout, so that the conductor finds each host as it was written. */
const OPEN_DOWNLOADS_SQL = `
  WITH files AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS f (model text, type text, version text, path text, "sizeBytes" bigint, sha256 text,
      "contentKey" text, "fileId" uuid)
  ), made AS (
    INSERT INTO downloads (id, host, model, model_type, version, path, hash, content_key, file_id, status, generation, enqueued_generation,
      attempts, downloaded_bytes, total_bytes, current_size, bytes_per_second, source, outcome, verified, error_kind, error, event_at,
      heartbeat_at, created_at, updated_at, asked_at, started_at, completed_at, deadline_at)
    SELECT ${seedUuidSql('$1::uuid::text || h.host || f.path')}, h.host, f.model, f.type, f.version, f.path, f.sha256, f."contentKey", f."fileId",
      CASE h.state WHEN 'done' THEN 'success' WHEN 'failed' THEN 'failed' WHEN 'downloading' THEN 'in_progress' ELSE 'pending' END, 1, 1,
      CASE WHEN h.state = 'queued' THEN 0 ELSE 1 END, (f."sizeBytes"::numeric * h.bytes / greatest(h.total_bytes, 1))::bigint, f."sizeBytes", (f."sizeBytes"::numeric * h.bytes / greatest(h.total_bytes, 1))::bigint,
      h.bytes_per_second, 'huggingface.co', CASE WHEN h.state = 'done' THEN 'secondary_success' END, CASE WHEN h.state = 'done' THEN true END,
      CASE WHEN h.state = 'failed' THEN h.failure_class END, CASE WHEN h.state = 'failed' THEN h.reason END, $3::timestamptz, $4::timestamptz, $3::timestamptz,
      $3::timestamptz, $3::timestamptz, $3::timestamptz,
      CASE WHEN h.state IN ('done', 'failed') THEN $3::timestamptz END, $4::timestamptz + interval '1 day'
    FROM rollout_hosts h CROSS JOIN files f
    WHERE h.rollout_id = $1::uuid AND h.state IN ('done', 'failed', 'downloading', 'queued')
    ON CONFLICT DO NOTHING RETURNING id, host
  )
  INSERT INTO rollout_downloads (rollout_id, host, download_id, is_own) SELECT $1::uuid, host, id, true FROM made ON CONFLICT DO NOTHING`;
