import { describe, expect, it } from '@jest/globals';
import type { LiveChanges } from '#contracts/live';
import { HOUR_MS } from '#core/units';
import { createChanges } from '../../../../apps/api/live/changes.ts';

const forever = new AbortController().signal;

describe('changes', () => {
  it('wake the requests that wait for the download, and no others', async () => {
    const changes = createChanges({ tell: () => undefined, isHearing: () => true });
    const woken: string[] = [];
    const wait = (id: string): Promise<void> =>
      changes
        .watch(id)
        .next(HOUR_MS, forever)
        .then(() => void woken.push(id));
    const waits = [wait('a'), wait('a'), wait('b')];
    changes.notify(['a']);
    await Promise.all(waits.slice(0, 2));
    expect(woken).toEqual(['a', 'a']);
    changes.stop();
    await waits[2];
    await wait('c');
    expect(changes.stopped()).toBe(true);
  });

  it('that come between the read and the wait are not missed', async () => {
    const changes = createChanges({ tell: () => undefined, isHearing: () => true });
    const watch = changes.watch('a');
    changes.heard(['a']);
    await watch.next(HOUR_MS, forever);
    watch.end();
    watch.end();
    changes.notify(['a']);
  });

  it('of other processes wake as well, and a gap wakes everything', async () => {
    const changes = createChanges({ tell: () => undefined, isHearing: () => true });
    const [a, b] = ['a', 'b'].map((id) => changes.watch(id).next(HOUR_MS, forever));
    changes.heard(['a']);
    await a;
    changes.heard(undefined);
    await b;
  });

  it('end a wait when the client is gone', async () => {
    const gone = new AbortController();
    const waiting = createChanges().watch('a').next(HOUR_MS, gone.signal);
    gone.abort();
    await waiting;
  });

  it('are told to the other processes, by what changed', () => {
    const told: LiveChanges[] = [];
    const changes = createChanges({ tell: (one) => void told.push(one), isHearing: () => true });
    changes.notify(['a', 'b']);
    changes.notify(new Set(['r']), 'rollouts');
    changes.notify([], 'hosts');
    expect(told).toEqual([{ downloads: ['a', 'b'] }, { rollouts: ['r'] }]);
  });
});
