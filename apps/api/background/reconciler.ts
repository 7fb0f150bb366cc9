import { DAY_MS, HOUR_MS, SECOND_MS } from '#core/units';
import { dropAuditDay } from '#database/access/audit-retention';
import { dropRollUps, dropTryPartitions, ensureTryPartitions } from '#database/history/try-partitions';
import { dropSiteDays } from '#database/sites/settle-charges';
import { runAsLeader } from '#database/sql/leader';
import type { Dependencies } from '../dependencies.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { checkEpoch } from './check-epoch.ts';
import { endMissedVersions } from './missed-versions.ts';
import { requeueSilent } from './requeue-silent.ts';

export interface ReconcilerOptions {
  readonly silentAfterMs: number;
  readonly sweepEveryMs: number;
  /** How long the history of tries is kept; milliseconds. */
  readonly historyMs: number;
  /** How long the audit is kept; milliseconds. */
  readonly auditHistoryMs: number;
}

const EPOCH_EVERY_MS = SECOND_MS;
/** The longest window that a summary takes. */
const ROLL_UPS_KEPT_MS = 401 * DAY_MS;

/** Loops that hold Postgres and Redis together. Of several processes one at a time does the work. */
export function createReconciler(deps: Dependencies, options: ReconcilerOptions): Loop[] {
  const asLeader = async (name: string, work: () => Promise<boolean>): Promise<boolean> =>
    (await runAsLeader(deps.database, name, work))?.result ?? false;
  return [
    createLoop({
      name: 'epoch',
      everyMs: EPOCH_EVERY_MS,
      log: deps.log,
      round: async () => {
        await checkEpoch(deps);
        return false;
      },
    }),
    createLoop({
      name: 'sweep',
      everyMs: options.sweepEveryMs,
      log: deps.log,
      round: () =>
        asLeader('sweep', async () => {
          await endMissedVersions(deps);
          return requeueSilent(deps, options);
        }),
    }),
    createLoop({
      name: 'partitions',
      everyMs: HOUR_MS,
      log: deps.log,
      round: () => asLeader('partitions', () => keepPartitions(deps, options.historyMs)),
    }),
    createLoop({
      name: 'audit',
      everyMs: HOUR_MS,
      log: deps.log,
      round: () => asLeader('audit', () => keepAudit(deps, options.auditHistoryMs)),
    }),
  ];
}

async function keepPartitions({ database, now, log }: Dependencies, historyMs: number): Promise<boolean> {
  const made = await ensureTryPartitions(database, now());
  const dropped = await dropTryPartitions(database, new Date(now().getTime() - Math.max(historyMs, DAY_MS)));
  const summedUntil = new Date(now().getTime() - Math.max(historyMs, ROLL_UPS_KEPT_MS));
  await dropRollUps(database, summedUntil);
  await dropSiteDays(database, summedUntil);
  if (made.length + dropped.length > 0) log.info({ made, dropped }, 'history partitions changed');
  return false;
}

/** @returns true while an older day is left */
export async function keepAudit(
  { database, now, log }: Pick<Dependencies, 'database' | 'now' | 'log'>,
  auditHistoryMs: number,
): Promise<boolean> {
  const dropped = await dropAuditDay(database, new Date(now().getTime() - Math.max(auditHistoryMs, DAY_MS)));
  if (dropped !== undefined) log.info(dropped, 'a day of the audit was dropped');
  return dropped !== undefined;
}
