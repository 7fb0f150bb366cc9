import { SECOND_MS } from '#core/units';
import { addUpCounts } from '#database/downloads/status-counts';
import type { Dependencies } from '../dependencies.ts';
import { createLoop, type Loop } from './loop.ts';

const EVERY_MS = 10 * SECOND_MS;

/** Keeps the noted changes of the number of downloads few. Several processes may do it at once. */
export const createCountKeeper = ({ database, log }: Pick<Dependencies, 'database' | 'log'>): Loop =>
  createLoop({
    name: 'download-counts',
    everyMs: EVERY_MS,
    log,
    round: async () => {
      await addUpCounts(database);
      return false;
    },
  });
