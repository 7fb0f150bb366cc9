import { SECOND_MS } from '#core/units';
import { sourceOrders } from '#database/sources/source-orders';
import { disabledSources } from '#database/sources/source-queries';
import { tellSourceRules } from '#queue/commands/source-rules';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';

type RuleDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'now'>;

const EVERY_MS = 10 * SECOND_MS;

/** Writes what is disabled, and the orders that were set, to where workers read it. @throws Error while Postgres or Redis is away */
export async function tellWorkers({ database, queues, prefix, now }: RuleDeps): Promise<void> {
  const [rows, orders] = await Promise.all([disabledSources(database, now()), sourceOrders(database)]);
  const disabled = rows.map(({ origin, note, until }) => ({ origin, note, until: until?.getTime() ?? null }));
  await tellSourceRules(queues.redis, prefix, {
    disabled,
    orders: orders.map(({ layer, origins }) => ({ layer, origins: [...origins] })),
  });
}

/** The rows hold it: a Redis that is down gets it when it is back. */
export const tellWorkersOrWarn = (deps: RuleDeps & Pick<Dependencies, 'log'>): Promise<void> =>
  tellWorkers(deps).catch((err: unknown) =>
    deps.log.warn({ err }, 'workers were not told which sources to ask; they are told again'),
  );

/** Repeats it, so that a Redis that lost its data, or was away, gets it again, and that what expired is taken away. */
export const createSourceRules = (deps: RuleDeps & Pick<Dependencies, 'log'>): Loop =>
  createLoop({
    name: 'source-rules',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async () => {
      await tellWorkers(deps);
      return false;
    },
  });
