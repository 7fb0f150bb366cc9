import { describe, expect, it } from '@jest/globals';
import { afterAttempt, RETRY_PAUSES_MS } from '#core/webhook/after-attempt';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';

const none = { status: undefined, retryAfterMs: undefined };
const answered = (status: number, retryAfterMs?: number) => ({ status, retryAfterMs });

describe('what follows an attempt to send a message of a webhook', () => {
  it.each([200, 201, 202, 204, 299])('O01 is nothing after %d', (status) => {
    expect(afterAttempt(answered(status), 1, 0)).toEqual({ do: 'deliver' });
  });

  it.each([100, 199, 301, 302, 303, 307, 308, 304, 400, 401, 404, 422, 429, 500, 503, 599])(
    'O01 O04 is another attempt after %d',
    (status) => {
      expect(afterAttempt(answered(status), 1, 0)).toEqual({ do: 'retry', afterMs: 5 * SECOND_MS, holdMs: undefined });
    },
  );

  it('O01 is ten attempts in about three days, each a little later by chance', () => {
    const least = RETRY_PAUSES_MS.map((_, index) => afterAttempt(none, index + 1, 0));
    expect(least.map((next) => next.do === 'retry' && next.afterMs)).toEqual([
      ...[5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS],
      ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
    ]);
    expect(RETRY_PAUSES_MS.reduce((sum, ms) => sum + ms, 0) / DAY_MS).toBeCloseTo(3.15, 1);
    expect(afterAttempt(none, 1, 0.999)).toEqual({ do: 'retry', afterMs: 5500, holdMs: undefined });
    expect(afterAttempt(none, RETRY_PAUSES_MS.length + 1, 0)).toEqual({ do: 'give-up' });
  });

  it('O02 is a longer pause where the endpoint asks for one, and never a shorter one', () => {
    expect(afterAttempt(answered(503, HOUR_MS), 1, 0)).toEqual({ do: 'retry', afterMs: HOUR_MS, holdMs: HOUR_MS });
    expect(afterAttempt(answered(429, 0), 4, 0)).toEqual({ do: 'retry', afterMs: 2 * HOUR_MS, holdMs: 0 });
  });

  it('O03 is the end of the webhook after 410', () => {
    expect(afterAttempt(answered(410, HOUR_MS), 1, 0)).toEqual({ do: 'disable' });
  });
});
