import { SECOND_MS } from '#core/units';
import { settleCharges } from '#database/sites/settle-charges';
import type { Dependencies } from '../dependencies.ts';
import { createLoop, type Loop } from './loop.ts';

const EVERY_MS = 2 * SECOND_MS;

/** Gives the budgets of sites back what hosts that have ended did not move. Several processes may do it at once. */
export const createSettlement = ({ database, now, log }: Pick<Dependencies, 'database' | 'now' | 'log'>): Loop =>
  createLoop({ name: 'site-charges', everyMs: EVERY_MS, log, round: () => settleCharges(database, now()) });
