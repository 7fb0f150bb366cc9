import { SECOND_MS } from '#core/units';
import { disabledSources } from '#database/sources/source-queries';
import { tellDisabledSources } from '#queue/commands/disabled-sources';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';

type SwitchDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'now'>;

const EVERY_MS = 10 * SECOND_MS;

/** Writes what is disabled to where workers read it. @throws Error while Postgres or Redis is away */
export async function tellWorkers({ database, queues, prefix, now }: SwitchDeps): Promise<void> {
  const rows = await disabledSources(database, now());
  const disabled = rows.map(({ origin, note, until }) => ({ origin, note, until: until?.getTime() ?? null }));
  await tellDisabledSources(queues.redis, prefix, disabled);
}

/** Repeats it, so that a Redis that lost its data, or was away, gets it again, and that what expired is taken away. */
export const createSourceSwitches = (deps: SwitchDeps & Pick<Dependencies, 'log'>): Loop =>
  createLoop({
    name: 'source-switches',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async () => {
      await tellWorkers(deps);
      return false;
    },
  });
