import type { ListedSource } from '#contracts/http/sources';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#core/units';
import { trySums } from '#database/history/try-sums';
import { listSources } from '#database/sources/source-queries';
import type { Dependencies } from '../dependencies.ts';
import { sourceViews } from './view.ts';

/** Reports of workers that nothing was heard of for longer do not count. */
const REPORTS_COUNT_MS = 10 * MINUTE_MS;

/** Sources of all layers, in the order in which the fleet would ask them. */
export async function allSources({ database, now }: Pick<Dependencies, 'database' | 'now'>): Promise<ListedSource[]> {
  const at = now();
  const ago = (ms: number): Date => new Date(at.getTime() - ms);
  const [rows, hour, day] = await Promise.all([
    listSources(database, ago(REPORTS_COUNT_MS), at),
    trySums(database, ago(HOUR_MS)),
    trySums(database, ago(DAY_MS)),
  ]);
  return sourceViews(rows, { hour, day });
}
