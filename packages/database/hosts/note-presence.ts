import type pg from 'pg';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { announce } from '../webhooks/announce.ts';

/** A host that came or went. */
export interface PresentHost {
  readonly name: string;
  readonly lastSeenAt: Date;
}

/** Rows that the recorder holds now are left to the next round, so that the two never wait for each other. */
const moved = (due: string, since: string): string => `
  UPDATE hosts h SET offline_since = ${since} FROM (
    SELECT k.name FROM hosts k WHERE ${due} ORDER BY k.name FOR NO KEY UPDATE SKIP LOCKED
  ) d WHERE h.name = d.name RETURNING h.name, h.last_seen_at AS "lastSeenAt"`;

const GONE_SQL = moved('k.offline_since IS NULL AND k.last_seen_at < $1', '$2');
const BACK_SQL = moved('k.offline_since IS NOT NULL AND k.last_seen_at >= $1', 'NULL');

/**
 * Writes which hosts went offline and which came back, and tells webhooks. Each change is told once, however many processes look.
 *
 * @param aliveSince hosts that were heard of since this moment are online
 */
export async function notePresence(
  database: Database,
  aliveSince: Date,
  now: Date,
): Promise<{ readonly gone: readonly PresentHost[]; readonly back: readonly PresentHost[] }> {
  return inTransaction(database, async (client) => {
    const gone = (await client.query<PresentHost>(GONE_SQL, [aliveSince, now])).rows;
    const back = (await client.query<PresentHost>(BACK_SQL, [aliveSince])).rows;
    await tell(client, 'host.offline', gone, now);
    await tell(client, 'host.online', back, now);
    return { gone, back };
  });
}

async function tell(
  client: pg.PoolClient,
  type: 'host.offline' | 'host.online',
  hosts: readonly PresentHost[],
  now: Date,
): Promise<void> {
  const announcements = hosts.map(({ name, lastSeenAt }) => ({
    type,
    at: now,
    data: { host: name, lastSeenAt, links: { self: `/api/hosts/${encodeURIComponent(name)}` } },
  }));
  await announce(client, announcements, now);
}
