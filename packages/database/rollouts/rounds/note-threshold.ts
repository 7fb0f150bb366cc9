import { isThresholdMet, requiredHosts, type VerdictCounts } from '#core/rollout/verdict';
import { announceRollout } from '../announce-rollout.ts';
import type { Client } from '../moves.ts';
import type { RolloutRow } from '../rollout-row.ts';

const REACHED_SQL = `
  WITH reached AS (
    UPDATE rollouts r SET threshold_at = $2 WHERE r.id = $1 AND r.threshold_at IS NULL RETURNING r.id, r.state
  )
  INSERT INTO rollout_events (rollout_id, at, event, from_state, to_state, reason)
  SELECT id, $2, 'reach_threshold', state, state, $3 FROM reached`;

/** Writes, once for each rollout, that enough hosts have the files; hosts that are still open may go on. */
export async function noteThreshold(
  client: Client,
  { id, spec }: RolloutRow,
  counts: VerdictCounts,
  now: Date,
): Promise<void> {
  const { successShare } = spec.policy;
  if (counts.succeeded === 0 || !isThresholdMet(successShare, counts)) return;
  const required = requiredHosts(successShare, counts.targeted);
  const sentence = `${counts.succeeded} of ${counts.targeted} hosts have it, ${required} are required`;
  const { rowCount } = await client.query(REACHED_SQL, [id, now, sentence]);
  if (rowCount === 1) await announceRollout(client, id, ['rollout.threshold_reached'], now);
}
