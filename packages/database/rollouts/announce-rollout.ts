import { requiredHosts } from '#core/rollout/verdict';
import type { PauseReason, RolloutEvent } from '#core/rollout/rollout-state';
import type { WebhookEventType } from '#core/webhook/event-types';
import { announce, isWanted } from '../webhooks/announce.ts';
import type { Client } from './moves.ts';
import { ROLLOUT_COLUMNS, type RolloutRow } from './rollout-row.ts';

/** What webhooks are told of a move; other moves are told to none. */
const TOLD: Partial<Record<RolloutEvent, WebhookEventType>> = {
  start: 'rollout.started',
  pause: 'rollout.paused',
  resume: 'rollout.resumed',
  retry: 'rollout.retried',
  succeed: 'rollout.succeeded',
  succeed_partly: 'rollout.succeeded',
  fail: 'rollout.failed',
  time_out: 'rollout.failed',
  cancel: 'rollout.cancelled',
  supersede: 'rollout.superseded',
  soak: 'wave.soaking',
};

interface ToldMove {
  readonly event: RolloutEvent;
  readonly pauseReason?: PauseReason | undefined;
}

/** Tells webhooks of a move that was just made, in its transaction. */
export async function announceMove(client: Client, id: string, move: ToldMove, now: Date): Promise<void> {
  const type = TOLD[move.event];
  const types: WebhookEventType[] = type === undefined ? [] : [type];
  if (move.pauseReason === 'gate') types.push('wave.held');
  await announceRollout(client, id, types, now);
}

/** Tells webhooks how a rollout stands now, once for each type. */
export async function announceRollout(
  client: Client,
  id: string,
  types: readonly WebhookEventType[],
  now: Date,
): Promise<void> {
  const wanted: WebhookEventType[] = [];
  for (const type of types) if (await isWanted(client, type)) wanted.push(type);
  if (wanted.length === 0) return;
  const data = await rolloutData(client, id);
  await announce(
    client,
    wanted.map((type) => ({ type, at: now, data })),
    now,
  );
}

const COUNTS_SQL = `
  SELECT count(*) FILTER (WHERE h.state NOT IN ('skipped', 'superseded')) AS targeted,
    count(*) FILTER (WHERE h.state = 'done') AS succeeded,
    count(*) FILTER (WHERE h.state IN ('failed', 'cancelled')) AS failed
  FROM rollout_hosts h WHERE h.rollout_id = $1 AND NOT h.is_late`;

/** What a receiver has to know to decide; the rest is at `links.self`. */
async function rolloutData(client: Client, id: string): Promise<object> {
  const row = (await client.query<RolloutRow>(`SELECT ${ROLLOUT_COLUMNS} FROM rollouts r WHERE r.id = $1`, [id]))
    .rows[0]!;
  type Counts = { targeted: number; succeeded: number; failed: number };
  const counts = (await client.query<Counts>(COUNTS_SQL, [id])).rows[0]!;
  const { waves, successShare } = row.spec.policy;
  const required = requiredHosts(successShare, counts.targeted);
  return {
    id,
    state: row.state,
    reason: row.pauseReason ?? row.state,
    message: row.reason,
    models: row.models.map(({ name, version }) => `${name}@${version}`),
    selector: row.spec.selector,
    wave: row.wave < 0 ? null : { index: row.wave, name: waves[row.wave]!.name, of: waves.length },
    counts,
    threshold: { percent: successShare / 100, required, met: counts.succeeded >= required },
    createdBy: row.createdBy,
    links: { self: `/api/rollouts/${id}` },
  };
}
