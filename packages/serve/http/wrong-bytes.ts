import { BoundedMap } from '#core/bounded-map';
import type { ByteRange } from '#core/bytes/byte-range';
import { DAY_MS } from '#core/units';

/** What one client was sent of contents that turned out to be wrong. */
export interface WrongBytes {
  /** Remembers bytes that may be wrong. @param etag of the content; @param sent from where the client can continue */
  note(etag: string, sent: ByteRange): void;
  /**
   * Whether a range goes on behind such bytes: a client that joins both would complete a wrong file. A range that begins where such
   * bytes began replaces them, so they are forgotten.
   */
  areContinuedBy(etag: string, ranges: readonly ByteRange[]): boolean;
}

/** Contents of clients that are remembered. */
const CAPACITY = 10_000;
/** A partial file that is older than this is continued without a warning. */
const REMEMBERED_MS = DAY_MS;

interface Noted extends ByteRange {
  readonly notedAt: number;
}

/**
 * Remembers for a day, in memory, which clients were sent wrong bytes: their connections were broken, and they may come back for the rest.
 *
 * @param now milliseconds
 * @returns what the client of this key was sent
 */
export function wrongBytes(now: () => number = () => performance.now()): (client: string) => WrongBytes {
  const noted = new BoundedMap<readonly Noted[]>({ capacity: CAPACITY });
  const recent = (key: string): readonly Noted[] =>
    (noted.get(key) ?? []).filter(({ notedAt }) => now() - notedAt < REMEMBERED_MS);
  return (client) => {
    const keyOf = (etag: string): string => `${client} ${etag}`;
    return {
      note(etag, { start, end }) {
        if (end > start) noted.set(keyOf(etag), [...recent(keyOf(etag)), { start, end, notedAt: now() }]);
      },
      areContinuedBy(etag, ranges) {
        const key = keyOf(etag);
        const all = recent(key);
        if (all.length === 0) return false;
        if (ranges.some(({ start }) => all.some((sent) => start > sent.start && start <= sent.end))) return true;
        noted.set(key, ranges.reduce(withoutFirstAt, all));
        return false;
      },
    };
  };
}

/** Two clients of one key may have been sent the same bytes, and only one of them begins again. */
function withoutFirstAt(all: readonly Noted[], { start }: ByteRange): readonly Noted[] {
  const at = all.findIndex((sent) => sent.start === start);
  return all.filter((_, index) => index !== at);
}
