import { ACTIVE_HOST_STATES } from '#core/rollout/host-state';
import { legalSql, nextStatusSql } from '../downloads/status-sql.ts';
import type { Client } from './moves.ts';

/** A download that ended with its part of a rollout; its job is to be taken out of its queue. */
export interface EndedDownload {
  readonly id: string;
  readonly host: string | null;
  readonly generation: number;
}

/** A download that another request made, or that another rollout waits for, goes on. */
const END_SQL = `
  UPDATE downloads d SET status = ${nextStatusSql('cancel')}, pause_reason = NULL, retry_at = NULL, reason = $3,
    bytes_per_second = 0, completed_at = $4, updated_at = $4
  FROM rollout_downloads l
  WHERE l.rollout_id = $1 AND l.host = ANY($2::text[]) AND l.is_own AND d.id = l.download_id AND ${legalSql('cancel')}
    AND NOT EXISTS (
      SELECT 1 FROM rollout_downloads o JOIN rollout_hosts h ON h.rollout_id = o.rollout_id AND h.host = o.host
      WHERE o.download_id = d.id AND o.rollout_id <> $1 AND h.state = ANY($5::text[])
    )
  RETURNING d.id, d.host, d.generation`;

/** Cancels what the rollout still wants on these hosts. What is on their disks stays. */
export async function endDownloads(
  client: Client,
  rolloutId: string,
  hosts: readonly string[],
  reason: string,
  now: Date,
): Promise<EndedDownload[]> {
  if (hosts.length === 0) return [];
  const parameters = [rolloutId, hosts, reason, now, ACTIVE_HOST_STATES];
  return (await client.query<EndedDownload>(END_SQL, parameters)).rows;
}
