import { mapConcurrently } from '#core/async/map-concurrently';
import type { BulkActionName } from '#core/bulk-action';
import { messageOf } from '#core/error-facts';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { claimBulkItems, settleBulkItems, type ClaimedItem, type SettledItem } from '#database/downloads/bulk-queries';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { cancel, pause, resume } from '../downloads/act-on-download.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { isUnavailable } from '../server/errors/unavailable.ts';

const EVERY_MS = 2 * SECOND_MS;
const ITEMS_AT_ONCE = 64;
const ACTIONS_AT_ONCE = 8;
/** An item that a process began with and did not finish for this long is carried out again; each action may be repeated. */
const STALE_AFTER_MS = MINUTE_MS;

type BulkDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'nudgeRelay' | 'now' | 'log'>;

/** Carries out bulk actions. Every API process may run it: an item belongs to the process that took it. */
export const createBulkRunner = (deps: BulkDeps): Loop =>
  createLoop({ name: 'bulk actions', everyMs: EVERY_MS, log: deps.log, round: () => runSomeItems(deps) });

/**
 * Carries out the next items.
 *
 * @returns true when there may be more
 * @throws Error while Postgres is away; the items are taken again later
 */
export async function runSomeItems(deps: BulkDeps): Promise<boolean> {
  const { database, now, changes } = deps;
  const staleBefore = new Date(now().getTime() - STALE_AFTER_MS);
  const items = await claimBulkItems(database, ITEMS_AT_ONCE, now(), staleBefore);
  if (items.length === 0) return false;
  const settled = await mapConcurrently(items, ACTIONS_AT_ONCE, (item) => carryOut(deps, item));
  changes.notify(await settleBulkItems(database, settled, now()), 'others');
  return true;
}

const ACT: Record<BulkActionName, typeof pause> = { pause, resume, cancel, retry: resume };

/** A download that moved on since the action was asked for is skipped, with the reason of the single action. */
async function carryOut(deps: BulkDeps, { bulkId, position, downloadId, action }: ClaimedItem): Promise<SettledItem> {
  const item = { bulkId, position };
  try {
    await ACT[action](deps, downloadId);
    return { ...item, state: 'done', reason: null };
  } catch (error) {
    if (isUnavailable(error)) throw error;
    if (error instanceof RequestError) return { ...item, state: 'skipped', reason: error.message };
    deps.log.error({ err: error, downloadId, action }, 'item of a bulk action failed');
    return { ...item, state: 'failed', reason: messageOf(error) };
  }
}
