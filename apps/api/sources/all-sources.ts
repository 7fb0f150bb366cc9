import type { ListedSource } from '#contracts/http/sources';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#core/units';
import { trySums } from '#database/history/try-sums';
import { listSources } from '#database/sources/source-queries';
import { shareOriginPauses } from '#queue/swarm/origin-pauses';
import type { Dependencies } from '../dependencies.ts';
import { sourceViews } from './view.ts';

export type SourceDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'now' | 'log'>;

/** Reports of workers that nothing was heard of for longer do not count. */
const REPORTS_COUNT_MS = 10 * MINUTE_MS;

/** Sources of all layers, in the order in which the fleet would ask them. While Redis is away, only reports of workers tell of pauses. */
export async function allSources(deps: SourceDeps): Promise<ListedSource[]> {
  const { database, now } = deps;
  const at = now();
  const ago = (ms: number): Date => new Date(at.getTime() - ms);
  const [rows, hour, day, pauses] = await Promise.all([
    listSources(database, ago(REPORTS_COUNT_MS), at),
    trySums(database, ago(HOUR_MS)),
    trySums(database, ago(DAY_MS)),
    pausesOf(deps),
  ]);
  return sourceViews(
    rows.map((row) => ({ ...row, waitMs: Math.max(row.waitMs, pauses.get(row.origin) ?? 0) })),
    { hour, day },
  );
}

/** @returns how long hosts of the fleet still leave each origin alone, in milliseconds; of several rate limits the longest */
async function pausesOf({ queues, prefix, log }: SourceDeps): Promise<ReadonlyMap<string, number>> {
  try {
    const longestFirst = await shareOriginPauses(queues.redis, prefix, []);
    return new Map(longestFirst.toReversed().map(({ origin, ms }) => [origin, ms]));
  } catch (err) {
    log.debug({ err }, 'Redis does not tell the pauses of origins: sources are listed without them');
    return new Map();
  }
}
