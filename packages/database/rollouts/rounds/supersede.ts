import type { EndedDownload } from '../end-downloads.ts';
import { endDownloads } from '../end-downloads.ts';
import { moveHosts, moveRollout, type Client } from '../moves.ts';
import type { RolloutRow } from '../rollout-row.ts';
import { FINAL_HOST_LIST, OPEN_ROLLOUT_STATES } from '../state-sql.ts';

/** Older rollouts that go on, without a verdict or because they hold, and bring a model of the same name to a host of this one. */
const OLDER_SQL = `
  SELECT o.id, o.is_holding AS "isHolding" FROM rollouts o
  WHERE o.id <> $1 AND (o.state IN (${OPEN_ROLLOUT_STATES}) OR o.is_holding) AND (o.created_at, o.id) < ($2::timestamptz, $1::uuid)
    AND EXISTS (SELECT 1 FROM jsonb_array_elements(o.models) m WHERE m->>'name' = ANY($3::text[]))
    AND EXISTS (
      SELECT 1 FROM rollout_hosts h JOIN rollout_hosts n ON n.host = h.host AND n.rollout_id = $1
      WHERE h.rollout_id = o.id AND h.state NOT IN (${FINAL_HOST_LIST})
    )
  ORDER BY o.id FOR UPDATE`;

const REPLACED_SQL = `
  SELECT h.host, h.state AS from_state, 'supersede' AS event, NULL AS failure_class, $4::text AS reason
  FROM rollout_hosts h JOIN rollout_hosts n ON n.host = h.host AND n.rollout_id = $3
  WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST})`;

/**
 * Takes the hosts of a rollout that starts away from older rollouts of the same models. An older rollout goes on with the hosts
 * that it keeps; one without a verdict that keeps none is superseded.
 *
 * @returns downloads that ended with it
 */
export async function supersedeOlder(client: Client, row: RolloutRow, now: Date): Promise<EndedDownload[]> {
  const names = row.models.map(({ name }) => name);
  const older = (await client.query<{ id: string; isHolding: boolean }>(OLDER_SQL, [row.id, row.createdAt, names]))
    .rows;
  const reason = `rollout ${row.id} is newer and brings the same model`;
  const ended: EndedDownload[] = [];
  for (const { id, isHolding } of older) {
    const moved = await moveHosts(client, id, REPLACED_SQL, [row.id, reason], now);
    const hosts = moved.map(({ host }) => host);
    ended.push(...(await endDownloads(client, id, hosts, reason, now)));
    const left = `SELECT 1 FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.state NOT IN (${FINAL_HOST_LIST}) LIMIT 1`;
    if (!isHolding && (await client.query(left, [id])).rowCount === 0)
      await moveRollout(client, id, { event: 'supersede', reason }, now);
  }
  return ended;
}
