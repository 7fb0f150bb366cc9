import { describe, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { createLoop } from '../../../../apps/api/background/loop.ts';
import { until } from '../../../helpers/until.ts';

const HOUR_MS = 3_600_000;

describe('a loop', () => {
  it('goes on at once while there is work, and on a nudge afterwards', async () => {
    let rounds = 0;
    const round = async (): Promise<boolean> => (rounds += 1) < 5;
    const loop = createLoop({ name: 'test', everyMs: HOUR_MS, log: silentLogger, round });
    loop.start();
    await until(() => rounds === 5, { what: 'five rounds' });
    loop.nudge();
    await until(() => rounds === 6, { what: 'the nudged round' });
    await loop.stop();
  });

  it('does not lose a nudge that comes during a round', async () => {
    let rounds = 0;
    const loop = createLoop({
      name: 'test',
      everyMs: HOUR_MS,
      log: silentLogger,
      round: async () => {
        rounds += 1;
        if (rounds === 1) loop.nudge();
        return false;
      },
    });
    loop.start();
    await until(() => rounds === 2, { what: 'the second round' });
    await loop.stop();
  });

  it('survives a round that fails', async () => {
    let rounds = 0;
    const loop = createLoop({
      name: 'test',
      everyMs: 1,
      log: silentLogger,
      round: async () => {
        rounds += 1;
        if (rounds === 1) throw new Error('down');
        return false;
      },
    });
    loop.start();
    await until(() => rounds > 2, { what: 'rounds after the failure' });
    await loop.stop();
    await loop.stop();
  });
});
