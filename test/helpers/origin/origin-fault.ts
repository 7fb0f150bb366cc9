/** One thing an origin does wrong in one response. Positions (`atByte`, `fromByte`) are positions in the file. */
export type Fault =
  | { readonly do: 'none' }
  | {
      readonly do: 'status';
      readonly status: number;
      readonly retryAfterS?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Replaces or (null) removes headers of an otherwise healthy response. */
  | { readonly do: 'headers'; readonly set: Readonly<Record<string, string | null>> }
  | { readonly do: 'big-headers'; readonly bytes: number }
  /** Waits before the headers. */
  | { readonly do: 'delay'; readonly ms: number }
  /** Takes the request and never answers. */
  | { readonly do: 'hang' }
  /** Body ends early: FIN, or RST. */
  | { readonly do: 'cut'; readonly afterBytes: number }
  | { readonly do: 'reset'; readonly afterBytes: number }
  | { readonly do: 'stall'; readonly afterBytes: number }
  /** Sends the bytes from a position on when the test says so. */
  | { readonly do: 'hold'; readonly fromByte: number; readonly until: Promise<void> }
  | { readonly do: 'drip'; readonly bytesPerSecond: number }
  | { readonly do: 'flip'; readonly atByte: number }
  | { readonly do: 'zero-tail'; readonly fromByte: number }
  | { readonly do: 'other-bytes' }
  | { readonly do: 'empty' }
  | { readonly do: 'endless' }
  | { readonly do: 'ignore-range' }
  | { readonly do: 'no-content-range' }
  | { readonly do: 'wrong-start'; readonly by?: number }
  | { readonly do: 'end-short'; readonly by: number }
  | { readonly do: 'end-beyond'; readonly by: number }
  | { readonly do: 'wrong-total'; readonly total: number | '*' }
  | { readonly do: 'last-before-first' }
  | { readonly do: 'multipart' }
  | { readonly do: 'range-not-satisfiable'; readonly total?: number | 'none' }
  | { readonly do: 'change-etag' }
  | { readonly do: 'weak-etag' }
  | { readonly do: 'no-etag' }
  | { readonly do: 'gzip' }
  | { readonly do: 'html' }
  | { readonly do: 'json-error' }
  | { readonly do: 'lfs-pointer' }
  /** Body without a length: until close, or chunked. */
  | { readonly do: 'no-length' }
  | { readonly do: 'chunked' }
  | { readonly do: 'redirect'; readonly to: string; readonly status?: number }
  | { readonly do: 'redirect-chain'; readonly hops: number }
  | { readonly do: 'redirect-loop' }
  | { readonly do: 'redirect-nowhere' };

/** A fault for the requests that match, however many others come between. */
export interface FaultRule {
  /** Part of the path and query, or a pattern over both. */
  readonly path?: string | RegExp;
  readonly method?: string;
  /** Only requests whose range covers this position (a request without a range covers all). */
  readonly covers?: number;
  /** How many requests suffer it; default all. */
  readonly times?: number;
  readonly fault: Fault | readonly Fault[];
}

/**
 * Keeps a file from being complete until the test says so, however fast a machine is.
 *
 * @param fromByte position in the file
 */
export function hold(fromByte: number): { readonly fault: Fault; go(): void } {
  let go = (): void => undefined;
  const until = new Promise<void>((resolve) => (go = resolve));
  return { fault: { do: 'hold', fromByte, until }, go: () => go() };
}
