import type pg from 'pg';
import type { EventBatch } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import { HOSTS_SEEN_SQL } from './host-event-sql.ts';

/** Notes by our clock that the hosts of the batches were heard of. */
export async function noteHostsSeen(client: pg.PoolClient, batches: readonly EventBatch[], now: Date): Promise<void> {
  const seen = batches
    .filter(({ host }) => host !== null)
    .map(({ host, bootId, sequence, sentAt }) => ({ host: hostKey(host!), shownHost: host, bootId, sequence, sentAt }));
  if (seen.length > 0) await client.query(HOSTS_SEEN_SQL, [JSON.stringify(seen), now]);
}
