import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { GetRolloutQuery } from '#contracts/http/rollouts/rollout-lists';
import { hostGroups } from '#database/rollouts/host-counts';
import { rolloutById } from '#database/rollouts/rollout-queries';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import { originSums } from '#database/rollouts/rollout-swarms';
import type { Dependencies } from '../dependencies.ts';
import { rolloutView } from './view.ts';

/** A rollout and what is shown of it. */
export interface SeenRollout {
  readonly row: RolloutRow;
  readonly view: Rollout;
}

type WaitDeps = Pick<Dependencies, 'database' | 'changes' | 'now'>;

/** @returns undefined when there is no such rollout */
export async function seeRollout({ database, now }: WaitDeps, id: string): Promise<SeenRollout | undefined> {
  const row = await rolloutById(database, id);
  if (row === undefined) return undefined;
  const [groups, [origin]] = await Promise.all([hostGroups(database, [id]), originSums(database, [id])]);
  return { row, view: rolloutView(row, { groups, origin }, now().getTime()) };
}

/**
 * Reads a rollout, and holds the answer while nothing changes: a long-poll.
 *
 * @param query without `wait` the answer comes at once; a rollout with a verdict is not waited for
 * @param signal aborts when the client is gone
 */
export async function awaitRollout(
  deps: WaitDeps,
  id: string,
  query: GetRolloutQuery,
  signal: AbortSignal,
): Promise<SeenRollout | undefined> {
  const deadline = deps.now().getTime() + (query.wait ?? 0);
  const watch = deps.changes.watch(id);
  try {
    let seen = await seeRollout(deps, id);
    const known = query.after ?? seen?.view.version;
    while (seen !== undefined && !seen.view.isFinal && (query.until === 'final' || seen.view.version === known)) {
      const left = deadline - deps.now().getTime();
      if (left <= 0 || signal.aborted || deps.changes.stopped()) break;
      await watch.next(left, signal);
      seen = await seeRollout(deps, id);
    }
    return seen;
  } finally {
    watch.end();
  }
}
