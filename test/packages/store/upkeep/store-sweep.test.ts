import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import type { StoreNotice } from '#store/context';
import type { Store } from '#store/open-store';
import { StoreSweep } from '#store/upkeep/store-sweep';
import { until } from '../../../helpers/until.ts';

type Limits = Parameters<Store['sweep']>[0];
type Report = Awaited<ReturnType<Store['sweep']>>;

const OVER: StoreNotice = { notice: 'store_over_limit', sha256: null, views: [], message: 'over' };
const LIMITS = { quarantineMs: 7, temporaryMs: 2, versionMs: 90, warnBytes: 100, hardLimitBytes: 200 };

const running: StoreSweep[] = [];
afterEach(() => running.splice(0).forEach((one) => one.stop()));

/** A store whose sweeps end as told, one after another; a warning is told as the real one does. */
function sweeping(reports: readonly (Partial<Report> | Error)[]) {
  const asked: Limits[] = [];
  const told: boolean[] = [];
  let swept = 0;
  const store: Pick<Store, 'sweep'> = {
    sweep: async (limits) => {
      const report = reports[Math.min(asked.length, reports.length - 1)]!;
      asked.push(limits);
      if (report instanceof Error) throw report;
      if (report.warning !== undefined) told.push(sweep.isNews(OVER));
      return { actions: [], done: [], storeBytes: 0, warning: undefined, ...report };
    },
  };
  const onSwept = (): void => void (swept += 1);
  const sweep = new StoreSweep({ store, limits: LIMITS, everyMs: 1, onSwept, logger: silentLogger });
  running.push(sweep);
  sweep.start();
  return { asked, told, swept: () => swept };
}

describe('a store that is swept', () => {
  it('VE5 runs again and again by its limits, also after one that failed', async () => {
    const { asked } = sweeping([new Error('disk'), {}]);
    await until(() => asked.length >= 3, { what: 'three sweeps' });
    expect(asked[0]).toEqual(LIMITS);
  });

  it('VE5 publishes one notice each time that the store goes over its limit', async () => {
    const { asked, told } = sweeping([{ warning: 'a' }, { warning: 'a' }, {}, { warning: 'a' }, { warning: 'a' }, {}]);
    await until(() => asked.length >= 6, { what: 'six sweeps' });
    expect(told.slice(0, 4)).toEqual([true, false, true, false]);
  });

  it('calls back after a deletion', async () => {
    const { asked, swept } = sweeping([{ done: [{ delete: 'file', path: 'x', sizeBytes: 1, reason: 'old' }] }, {}]);
    await until(() => asked.length >= 2, { what: 'two sweeps' });
    expect(swept()).toBe(1);
  });
});
