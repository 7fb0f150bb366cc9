import { describe, expect, it } from '@jest/globals';
import { meanMs, percentileMs, type LatencyBucket } from '#core/latency-buckets';

/** As the database counts them. */
function bucketsOf(durations: readonly number[]): LatencyBucket[] {
  const buckets = new Map<number, { bucket: number; count: number; totalMs: number }>();
  for (const ms of durations) {
    const bucket = Math.floor(Math.log(Math.max(1, ms)) / Math.log(1.2));
    const known = buckets.get(bucket) ?? { bucket, count: 0, totalMs: 0 };
    buckets.set(bucket, { bucket, count: known.count + 1, totalMs: known.totalMs + ms });
  }
  return [...buckets.values()].reverse();
}

describe('percentiles from logarithmic buckets', () => {
  it('ME2 are exact where the durations of a bucket are equal', () => {
    const buckets = bucketsOf([100, 200, 200, 400]);
    expect([0.25, 0.5, 0.75, 1].map((share) => percentileMs(buckets, share))).toEqual([100, 200, 200, 400]);
    expect(meanMs(buckets)).toBe(225);
  });

  it('ME2 are at most a fifth off', () => {
    const durations = Array.from({ length: 5000 }, (_, n) => 1 + ((n * 7919) % 60_000));
    const sorted = durations.toSorted((a, b) => a - b);
    const buckets = bucketsOf(durations);
    for (const share of [0.01, 0.5, 0.95, 0.99]) {
      const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
      expect(Math.abs(percentileMs(buckets, share)! - exact) / exact).toBeLessThan(0.2);
    }
  });

  it('are none without a duration', () => {
    expect([percentileMs([], 0.5), meanMs([])]).toEqual([null, null]);
  });
});
