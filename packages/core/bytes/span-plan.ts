import { KIB, MIB, MINUTE_MS, SECOND_MS } from '../units.ts';

/** Spans are planned to last this long at the measured rate: long enough to hide a round trip, short enough to share the work. */
export const SPAN_TARGET_MS = 6 * SECOND_MS;
export const MIN_SPAN_BYTES = 4 * MIB;
export const MAX_SPAN_BYTES = 64 * MIB;

/** A busy span without a byte for this long may be duplicated by an idle source. */
export const STALLED_MS = 10 * SECOND_MS;
/** A busy span slower than this share of the median rate may be duplicated. */
const LAGGARD_SHARE = 0.25;
/** A source below this share of its own median for `TOO_SLOW_MS` is left, if another can go on. */
const TOO_SLOW_SHARE = 0.1;
export const TOO_SLOW_MS = 15 * SECOND_MS;
/** A connection this fast is limited by the host, not by the source: more of them cost CPU and gain nothing. */
const FAST_CONNECTION_BYTES_PER_SECOND = 150 * MIB;
/** Another connection must bring at least this to be worth keeping. */
const WORTHWHILE_GAIN = 1.15;

export interface SpanSituation {
  /** Measured rate of one connection to the source; undefined before the first measurement. */
  readonly bytesPerSecond: number | undefined;
  /** Bytes that no source is fetching yet. */
  readonly freeBytes: number;
  /** Connections that share the free bytes, this one included; at least 1. */
  readonly connections: number;
  /** Requests per minute the source tolerates, over all its connections. */
  readonly requestsPerMinute?: number | undefined;
}

/**
 * How many bytes the next ranged request should ask for: about six seconds of the source's rate within
 * 4–64 MiB, less when the rest must be shared, and as much as needed where the source limits requests.
 *
 * @returns bytes, at least MIN_SPAN_BYTES
 */
export function spanBytesFor(situation: SpanSituation): number {
  const { bytesPerSecond, freeBytes, connections, requestsPerMinute } = situation;
  const unknownRate = connections === 1 ? 4 * MIN_SPAN_BYTES : MIN_SPAN_BYTES;
  const byRate = bytesPerSecond === undefined ? unknownRate : (bytesPerSecond * SPAN_TARGET_MS) / SECOND_MS;
  const share = connections === 1 ? freeBytes : freeBytes / (2 * connections);
  const planned = Math.max(MIN_SPAN_BYTES, Math.min(byRate, MAX_SPAN_BYTES, share));
  return Math.ceil(Math.max(planned, leastForRequestLimit(bytesPerSecond, requestsPerMinute)));
}

/** A request-limited source must not run out of requests before it runs out of bytes. */
function leastForRequestLimit(bytesPerSecond: number | undefined, requestsPerMinute: number | undefined): number {
  if (requestsPerMinute === undefined || requestsPerMinute <= 0) return 0;
  const rate = bytesPerSecond ?? MIN_SPAN_BYTES;
  return (rate * (MINUTE_MS / SECOND_MS)) / requestsPerMinute;
}

/** Granularity of a file that nothing proves piece by piece: finer for small files so that little is lost to a broken stream. */
export function pieceBytesFor(sizeBytes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, sizeBytes / 8192)));
  return Math.min(MIB, Math.max(4 * KIB, wanted));
}

/** Whether an idle source may fetch the rest of a busy span as well; the first verified write wins. */
export const isLaggard = (span: { bytesPerSecond: number; idleMs: number }, medianBytesPerSecond: number): boolean =>
  span.idleMs >= STALLED_MS || span.bytesPerSecond < medianBytesPerSecond * LAGGARD_SHARE;

export const isTooSlow = (bytesPerSecond: number, ownMedianBytesPerSecond: number): boolean =>
  bytesPerSecond < ownMedianBytesPerSecond * TOO_SLOW_SHARE;

/**
 * Whether one more connection to a source is worth trying: connections help where a source limits each of
 * them, and only cost on a fast one.
 *
 * @param before rate of the source with half of its connections; undefined when there was only one
 * @param now rate with all of them
 */
export function wantsConnection(
  before: number | undefined,
  now: number,
  connections: number,
  maxConnections: number,
): boolean {
  if (connections >= maxConnections) return false;
  if (now / connections >= FAST_CONNECTION_BYTES_PER_SECOND) return false;
  return before === undefined || now >= before * WORTHWHILE_GAIN;
}

/** @returns the middle value, 0 for none */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
