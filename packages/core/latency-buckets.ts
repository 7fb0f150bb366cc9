/** Tries or downloads whose durations are alike: the roll-ups of the database count them together. */
export interface LatencyBucket {
  /** Whole logarithm of milliseconds to the base 1.2, as `haulier_bucket` of the migrations computes it. */
  readonly bucket: number;
  readonly count: number;
  /** Sum of the durations. */
  readonly totalMs: number;
}

/**
 * Nearest-rank percentile. All durations of a bucket count as their mean, so the error is at most a fifth, and none where they are equal.
 *
 * @param share 0 to 1: 0.95 for the 95th percentile
 * @returns milliseconds; null without any duration
 */
export function percentileMs(buckets: readonly LatencyBucket[], share: number): number | null {
  const inOrder = buckets.filter(({ count }) => count > 0).toSorted((a, b) => a.bucket - b.bucket);
  const rank = share * inOrder.reduce((sum, { count }) => sum + count, 0);
  let seen = 0;
  for (const { count, totalMs } of inOrder) {
    seen += count;
    if (seen >= rank) return Math.round(totalMs / count);
  }
  return null;
}

/** @returns null without any duration */
export function meanMs(buckets: readonly LatencyBucket[]): number | null {
  const count = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  return count === 0 ? null : buckets.reduce((sum, { totalMs }) => sum + totalMs, 0) / count;
}
