import { codeOf, messageOf } from './error-facts.ts';

/**
 * Every way in which one try at one source can fail. `core/policy` decides by kind, so a kind is added
 * only when a decision depends on it.
 *
 * - `unreachable`     no connection: DNS, refused, reset before headers, TLS
 * - `interrupted`     the body broke off: reset, short body, early close
 * - `timed-out`       no progress for the stall timeout, or no headers in time
 * - `too-slow`        bytes trickle below the low-speed limit
 * - `throttled`       429, 503 and kin: come back later
 * - `server-error`    other 5xx
 * - `missing`         the source does not have it: 404, 410, 451, "could not find node"
 * - `forbidden`       401 or 403 on the logical URL: gated, private, bad token
 * - `range-refused`   the source cannot serve this range
 * - `bad-response`    not an answer to the question: HTML, encoded body, broken Content-Range, 204, redirect loop
 * - `size-mismatch`   the source serves another size than the manifest says
 * - `digest-mismatch` bytes that do not hash to what was promised
 * - `address-refused` the address policy forbids connecting there
 * - `aborted`         we stopped it ourselves
 */
export const SOURCE_FAILURE_KINDS = [
  'unreachable',
  'interrupted',
  'timed-out',
  'too-slow',
  'throttled',
  'server-error',
  'missing',
  'forbidden',
  'range-refused',
  'bad-response',
  'size-mismatch',
  'digest-mismatch',
  'address-refused',
  'aborted',
] as const;

export type SourceFailureKind = (typeof SOURCE_FAILURE_KINDS)[number];

export interface SourceErrorOptions {
  readonly cause?: unknown;
  readonly retryAfterMs?: number | undefined;
  readonly bucket?: string | undefined;
  readonly httpStatus?: number | undefined;
  readonly namesReason?: boolean | undefined;
  readonly connectionLimit?: number | undefined;
  readonly original?: OriginalFailure | undefined;
}

/** The failure that a pause of a source goes back to. */
export interface OriginalFailure {
  readonly kind: SourceFailureKind;
  readonly message: string;
}

/** One try at one source failed. Says what kind, who, and why; the original error is the `cause`. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  /** When the source said how long to wait; milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** Which of its rate limits is used up, when the source named one; the others are not concerned. */
  readonly bucket: string | undefined;
  readonly httpStatus: number | undefined;
  /** The answer itself names its reason, such as a used up allowance of requests: fewer connections would change nothing. */
  readonly namesReason: boolean;
  /** How many connections the origin served at once when it refused this further one; undefined where that is not the reason. */
  readonly connectionLimit: number | undefined;
  /** Set when the source was not asked because it is paused: the first failure of those that paused it. */
  readonly original: OriginalFailure | undefined;

  readonly kind: SourceFailureKind;
  readonly source: string;

  constructor(kind: SourceFailureKind, source: string, message: string, options?: SourceErrorOptions) {
    super(message, { cause: options?.cause });
    this.kind = kind;
    this.source = source;
    this.retryAfterMs = options?.retryAfterMs;
    this.bucket = options?.bucket;
    this.httpStatus = options?.httpStatus;
    this.namesReason = options?.namesReason ?? false;
    this.connectionLimit = options?.connectionLimit;
    this.original = options?.original;
  }

  /** What is wrong with the source: a pause counts as the failure that it goes back to. */
  get reasonKind(): SourceFailureKind {
    return this.original?.kind ?? this.kind;
  }
}

/**
 * - `invalid-dag`        the DAG behind a CID breaks the rules: the content is at fault, not the source
 * - `is-directory`       the CID names a directory where a file is wanted
 * - `unsupported`        a hash, codec or format that we do not know
 * - `leaf-unobtainable`  three sources gave other bytes for the same leaf
 * - `wrong-digest`       a complete file does not hash to what the manifest says
 * - `wrong-format`       the file's header is not that of its declared format
 * - `unproven`           nothing could prove these bytes and the caller insists on proof
 */
export type VerifyFailureKind =
  'invalid-dag' | 'is-directory' | 'unsupported' | 'leaf-unobtainable' | 'wrong-digest' | 'wrong-format' | 'unproven';

/** Content is not what it is said to be, from any source. */
export class VerifyError extends Error {
  override readonly name = 'VerifyError';
  readonly kind: VerifyFailureKind;

  constructor(kind: VerifyFailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

export type StorageFailureKind = 'disk-full' | 'read-only' | 'denied' | 'io' | 'busy' | 'unsafe-path' | 'newer-layout';

const STORAGE_KIND_BY_CODE: Record<string, StorageFailureKind> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
};

/** The host's own disk refused. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly kind: StorageFailureKind;
  readonly path: string;
  /** How much space must be freed before it is worth another try; only for `disk-full`, when it is known. */
  readonly missingBytes: number | undefined;

  constructor(
    kind: StorageFailureKind,
    path: string,
    message: string,
    options?: { cause?: unknown; missingBytes?: number | undefined },
  ) {
    super(message, { cause: options?.cause });
    this.kind = kind;
    this.path = path;
    this.missingBytes = options?.missingBytes;
  }

  /** Wraps an error of Node's fs; anything that is not one of the known codes is kind `io`. */
  static from(cause: unknown, path: string): StorageError {
    if (cause instanceof StorageError) return cause;
    return new StorageError(STORAGE_KIND_BY_CODE[codeOf(cause)] ?? 'io', path, messageOf(cause), { cause });
  }
}

/** What one source did wrong, for the list that an exhausted download shows. */
export interface SourceFailure {
  readonly source: string;
  readonly kind: SourceFailureKind;
  /** Of the first failure of this kind. */
  readonly message: string;
  /** How often this source failed in this way. */
  readonly count: number;
}

/** Every layer is exhausted: names each source that was tried and why it failed. */
export class ExhaustedError extends Error {
  override readonly name = 'ExhaustedError';
  readonly failures: readonly SourceFailure[];
  /** True when at least one source failed for a reason that may pass (timeouts, throttling): another attempt can help. */
  readonly mayPass: boolean;
  /** Leaves that no source sent as the leaf table describes them: then the table itself is worth a second look. */
  readonly refusedLeaves: readonly number[];

  constructor(what: string, failures: readonly SourceFailure[], mayPass: boolean, refusedLeaves?: readonly number[]) {
    const reasons = failures.map((f) => `${f.source}: ${f.message}${f.count > 1 ? ` (${f.count} times)` : ''}`);
    super(`no source could give ${what}: ${reasons.join('; ') || 'no source is configured for it'}`);
    this.failures = failures;
    this.mayPass = mayPass;
    this.refusedLeaves = refusedLeaves ?? [];
  }
}
