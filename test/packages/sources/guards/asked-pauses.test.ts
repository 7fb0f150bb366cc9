import { beforeEach, describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import { SECOND_MS } from '#core/units';
import { SourceHealth } from '#sources/guards/source-health';
import { withHealth } from '#sources/guards/with-health';
import { scripted } from './scripted.ts';

const ORIGIN = 'https://hub.example';

describe('pauses that origins asked for', () => {
  let nowMs: number;
  let health: SourceHealth;
  let heard: number;

  beforeEach(() => {
    [nowMs, heard] = [0, 0];
    health = new SourceHealth({ now: () => nowMs });
    health.asked.onMore(() => (heard += 1));
  });

  const refusal = (
    httpStatus: number,
    retryAfterMs?: number,
    more: { bucket?: string; connectionLimit?: number } = {},
  ) => new SourceError('throttled', 'scripted', 'no', { httpStatus, retryAfterMs, ...more });

  /** One request to a server that answers so. */
  const ask = (error: SourceError, layer: 'origin' | 'peer' = 'origin'): Promise<unknown> =>
    withHealth(
      health,
      () => nowMs,
    )({ ...scripted([error], ORIGIN), layer, bucket: error.bucket })
      .read({}, { head: () => undefined, write: () => undefined }, new AbortController().signal)
      .catch((caught: unknown) => caught);

  it.each([429, 503])('L16 are those of %i with Retry-After, until they end', async (status) => {
    await ask(refusal(status, 20 * SECOND_MS));
    expect([health.asked.list(), heard]).toEqual([[{ origin: ORIGIN, bucket: undefined, ms: 20 * SECOND_MS }], 1]);
    nowMs = 19 * SECOND_MS;
    expect(health.asked.list()).toEqual([{ origin: ORIGIN, bucket: undefined, ms: SECOND_MS }]);
    nowMs = 20 * SECOND_MS;
    expect(health.asked.list()).toEqual([]);
  });

  it('L16 name the rate limit that is used up, and the longest comes first', async () => {
    await ask(refusal(429, 5 * SECOND_MS, { bucket: 'api' }));
    await ask(refusal(429, 9 * SECOND_MS, { bucket: 'resolvers' }));
    expect(health.asked.list().map(({ bucket, ms }) => [bucket, ms])).toEqual([
      ['resolvers', 9 * SECOND_MS],
      ['api', 5 * SECOND_MS],
    ]);
  });

  it.each([
    ['an answer without Retry-After', refusal(429)],
    ['a connection beyond the limit of the origin', refusal(429, SECOND_MS, { connectionLimit: 2 })],
    ['a page in place of the file, after which this host pauses by itself', refusal(200, 60 * SECOND_MS)],
  ])('L16 are not made by %s', async (_, error) => {
    await ask(error);
    expect([health.asked.list(), heard]).toEqual([[], 0]);
  });

  it('L16 are not those of peers, nor those that another host was asked for', async () => {
    await ask(refusal(503, 20 * SECOND_MS), 'peer');
    health.coolDown('https://other.example', 20 * SECOND_MS);
    expect(health.asked.list()).toEqual([]);
  });
});
