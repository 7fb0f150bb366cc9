import type { EventBatch } from '#contracts/worker/worker-events';
import { noteHostsSeen } from '../hosts/note-hosts-seen.ts';
import type { RefusedBatch } from '../access/refused-events.ts';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import { dropRepeats, type BatchProofs } from './batch-proofs.ts';
import { POSITIONS_SQL } from './event-sql.ts';
import { planEvents, type DownloadStep } from './event-waves.ts';

export interface WrittenPositions {
  /** Downloads that run as their workers say; the others stand elsewhere, or another transaction holds them now. */
  readonly running: ReadonlySet<string>;
  /** Events of downloads that are not among these, and of batches that were applied before. */
  readonly ignored: number;
  readonly refused: readonly RefusedBatch[];
}

/** A row that another process wrote within this time is not written again; milliseconds. */
const WRITTEN_WITHIN_MS = 4_500;

/**
 * Writes the latest position of each download, and when its host was heard of, in one transaction. The batches have positions alone.
 *
 * @param proofs of the batches that are signed
 * @param now our clock
 * @throws Error while Postgres is down; nothing is stored then
 */
export async function writePositions(
  database: Database,
  batches: readonly EventBatch[],
  now: Date,
  proofs: BatchProofs,
): Promise<WrittenPositions> {
  return inTransaction(database, async (client) => {
    const { fresh, refused } = await dropRepeats(client, batches, proofs);
    const latest = latestOf(fresh);
    await noteHostsSeen(client, fresh, now);
    const recent = new Date(now.getTime() - WRITTEN_WITHIN_MS);
    const { rows } = await client.query<{ id: string }>(POSITIONS_SQL, [JSON.stringify(latest), now, recent]);
    const running = new Set(rows.map(({ id }) => id));
    const events = batches.reduce((sum, batch) => sum + batch.events.length, 0);
    const kept = fresh.flatMap((batch) => batch.events).filter((event) => 'downloadId' in event);
    return { running, ignored: events - kept.filter(({ downloadId }) => running.has(downloadId)).length, refused };
  });
}

/** By download: positions are absolute, so the last one counts. */
function latestOf(batches: readonly EventBatch[]): object[] {
  const latest = new Map<string, DownloadStep>();
  for (const wave of planEvents(batches).waves)
    for (const step of wave) if ((latest.get(step.downloadId)?.at ?? 0) <= step.at) latest.set(step.downloadId, step);
  return [...latest.values()];
}
