import { describe, expect, it } from '@jest/globals';
import { planEvents } from '#database/history/event-waves';
import { at, batch, finished, interrupted, progress, started, tried } from '../fixtures.ts';

const A = { id: '00000000-0000-4000-8000-00000000000a' };
const B = { id: '00000000-0000-4000-8000-00000000000b' };

describe('planEvents', () => {
  const typesOf = (...events: Parameters<typeof batch>[0]) =>
    planEvents([batch(events)]).waves.map((wave) => wave.map(({ downloadId, type }) => `${downloadId.at(-1)} ${type}`));

  it('puts the events of different downloads into one wave, and those of one download after each other', () => {
    expect(typesOf(started(A, 1), started(B, 1), interrupted(A, 2), finished(B, 3), started(A, 4))).toEqual([
      ['a download.started', 'b download.started'],
      ['a download.interrupted', 'b download.finished'],
      ['a download.started'],
    ]);
  });

  it('keeps only the newest of positions in a row, in whatever order they come', () => {
    const { waves } = planEvents([batch([progress(A, 1, 10), progress(A, 3, 30)]), batch([progress(A, 2, 20)])]);
    expect(waves).toHaveLength(1);
    expect(waves[0]).toMatchObject([{ at: at(3).getTime(), committedBytes: 30 }]);
  });

  it('keeps positions of different generations apart', () => {
    const { waves } = planEvents([batch([progress(A, 1, 10), progress({ ...A, generation: 2 }, 2, 0)])]);
    expect(waves).toHaveLength(2);
  });

  it('separates tries, and adds the sending host to every event', () => {
    const plan = planEvents([batch([tried(A, 1, 0), started(A, 1)], { host: 'gpu-5' })]);
    expect(plan.tries).toMatchObject([{ host: 'gpu-5', sequence: 0 }]);
    expect(plan.waves).toMatchObject([[{ host: 'gpu-5' }]]);
  });

  it('keeps the newest report of a host, and none of a worker without a host', () => {
    const report = (seconds: number) => ({
      type: 'host.report' as const,
      at: at(seconds).getTime(),
      inventoryDigest: '',
      storeBytes: 0,
      freeBytes: seconds,
      fileCount: 0,
      workerVersion: '1',
    });
    expect(planEvents([batch([report(2), report(1)])]).reports).toMatchObject([{ freeBytes: 2 }]);
    expect(planEvents([batch([report(2)], { host: null })]).reports).toEqual([]);
  });
});
