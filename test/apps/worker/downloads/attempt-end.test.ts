import { describe, expect, it } from '@jest/globals';
import { ExhaustedError, StorageError, type SourceFailure, type SourceFailureKind } from '#core/failure';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import { endOf, type FailedAttempt } from '../../../../apps/worker/downloads/attempt-end.ts';
import { aJob } from '../../../helpers/jobs.ts';

const NOW = Date.UTC(2026, 10, 29, 12);
const DEADLINE = NOW + HOUR_MS;

const attempt = (parts: Partial<FailedAttempt> = {}): FailedAttempt => ({
  job: aJob({ deadlineAt: DEADLINE }),
  context: { lastAttempt: true, sourceWaitsInARow: 0 },
  stopCause: undefined,
  committedBytes: 0,
  gotBytes: false,
  sources: [],
  now: NOW,
  random: 0.999_999,
  ...parts,
});

const away = (...kinds: SourceFailureKind[]): ExhaustedError => {
  const failures = kinds.map((kind): SourceFailure => ({ source: 's', kind, message: `${kind} it was`, count: 3 }));
  return new ExhaustedError('model.onnx', failures, true);
};

describe('an attempt in which no source could be reached', () => {
  it.each(['unreachable', 'timed-out', 'throttled', 'server-error', 'interrupted', 'too-slow'] as const)(
    'F40 RE3 is none when the source is %s: the job waits, also where no attempt is left',
    (kind) => {
      const { event, result } = endOf(away(kind), attempt());
      expect(result).toEqual({ do: 'delay', untilMs: NOW + 10 * SECOND_MS, for: 'sources' });
      expect(event).toMatchObject({
        type: 'download.interrupted',
        reason: 'sources_unavailable',
        retryAt: NOW + 10 * SECOND_MS,
        message: expect.stringContaining(`${kind} it was (3 times)`),
      });
    },
  );

  it.each([
    [0, 10 * SECOND_MS],
    [1, 20 * SECOND_MS],
    [5, 320 * SECOND_MS],
    [6, 10 * MINUTE_MS],
    [200, 10 * MINUTE_MS],
  ])('F40 waits twice as long after each of %i waits, up to ten minutes', (sourceWaitsInARow, waitMs) => {
    const context = { lastAttempt: false, sourceWaitsInARow };
    expect(endOf(away('unreachable'), attempt({ context })).result).toMatchObject({ untilMs: NOW + waitMs });
    const least = endOf(away('unreachable'), attempt({ context, random: 0 })).result;
    expect(least).toMatchObject({ untilMs: NOW + waitMs / 2 });
  });

  it('F41 asks for the last time at the deadline, and fails there with the reasons of the sources', () => {
    const before = endOf(away('unreachable'), attempt({ now: DEADLINE - SECOND_MS }));
    expect(before.result).toMatchObject({ do: 'delay', untilMs: DEADLINE });
    const { event, result } = endOf(away('unreachable'), attempt({ now: DEADLINE }));
    expect(result).toMatchObject({ do: 'fail' });
    expect(event).toMatchObject({
      type: 'download.failed',
      errorKind: 'deadline',
      outcome: 'all_layers_exhausted',
      message: expect.stringMatching(/its deadline 2026-11-29T13:00:00.000Z passed; .*unreachable it was/),
    });
  });

  it.each([
    ['bytes arrived', away('interrupted'), { gotBytes: true }],
    ['a source answered that it does not have the file', away('unreachable', 'missing'), {}],
    ['a source sent wrong bytes', away('unreachable', 'digest-mismatch'), {}],
    ['a job of an earlier API names no deadline', away('unreachable'), { job: aJob() }],
  ])('RE3 is an attempt when %s', (_what, error, parts) => {
    expect(endOf(error, attempt(parts)).event).toMatchObject({ type: 'download.failed', errorKind: 'exhausted' });
    const context = { lastAttempt: false, sourceWaitsInARow: 0 };
    expect(endOf(error, attempt({ ...parts, context })).result).toMatchObject({ do: 'retry' });
  });

  it('CH7 fails at once where no source is configured: no wait changes that', () => {
    const error = new ExhaustedError('model.onnx', [], false);
    const context = { lastAttempt: false, sourceWaitsInARow: 0 };
    expect(endOf(error, attempt({ context })).result).toMatchObject({ do: 'fail' });
  });

  it('RE10 leaves the wait for disk space as it is', () => {
    const { event, result } = endOf(new StorageError('disk-full', '/store', 'no space'), attempt());
    expect(event).toMatchObject({ reason: 'disk_full' });
    expect(result).toEqual({ do: 'delay', untilMs: NOW + 15 * SECOND_MS, for: 'space' });
  });
});
