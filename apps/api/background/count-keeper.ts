import { SECOND_MS } from '#core/units';
import { addUpCounts } from '#database/downloads/status-counts';
import { addUpHostCounts } from '#database/rollouts/host-counts';
import type { Dependencies } from '../dependencies.ts';
import { createLoop, type Loop } from './loop.ts';

const EVERY_MS = 10 * SECOND_MS;

/** Keeps the noted changes of the numbers of downloads and of hosts of rollouts few. Several processes may do it at once. */
export const createCountKeeper = ({ database, log }: Pick<Dependencies, 'database' | 'log'>): Loop =>
  createLoop({
    name: 'counts',
    everyMs: EVERY_MS,
    log,
    round: async () => {
      await addUpCounts(database);
      await addUpHostCounts(database);
      return false;
    },
  });
