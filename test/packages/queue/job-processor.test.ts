import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { isLeftBehind, workerName } from '#queue/boot-reclaim';
import { pauseBeforeAttemptMs } from '#queue/job-options';
import { backoffStrategy, createProcessor } from '#queue/job-processor';

describe('job processor', () => {
  it('I12 declares three parameters, without which BullMQ passes no signal', () => {
    const processor = createProcessor({
      handler: async () => ({ do: 'done' }),
      stopping: new AbortController().signal,
      onHandled: () => undefined,
      logger: silentLogger,
    });
    expect(processor.length).toBeGreaterThanOrEqual(3);
  });

  it.each([
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [3, 2_000, 4_000],
    [9, 2_000, 4_000],
  ])('RE5 pauses before attempt %i + 1 between %i and %i ms', (attemptsMade, least, most) => {
    expect(pauseBeforeAttemptMs(attemptsMade, 0)).toBe(least);
    expect(pauseBeforeAttemptMs(attemptsMade, 0.999_999)).toBe(most);
    const pause = backoffStrategy(attemptsMade, 'haulier', new Error('any'));
    expect(pause).toBeGreaterThanOrEqual(least);
    expect(pause).toBeLessThanOrEqual(most);
  });
});

describe('jobs left behind', () => {
  const identity = { workerId: 'w1', bootId: 'b2' };

  it.each([
    ['an earlier boot of this worker', workerName({ workerId: 'w1', bootId: 'b1' }), true],
    ['this boot', workerName(identity), false],
    ['another worker', workerName({ workerId: 'w2', bootId: 'b1' }), false],
    ['nobody', null, false],
    ['a worker without a name of ours', 'w1', false],
  ])('are those of %s: %s -> %s', (_who, processedBy, left) => {
    expect(isLeftBehind(processedBy, identity)).toBe(left);
  });
});
