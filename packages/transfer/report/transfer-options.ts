import type { Digests, Strategy } from '#core/file-spec';
import type { SourceFailureKind } from '#core/failure';
import type { Layer, SourceKind } from '#core/layer';
import type { Logger } from '#core/logger';
import type { Budget, Decision } from '#core/policy';
import type { SourceHealth } from '#core/ranking';
import type { Source } from '#core/source';
import type { DagProfile } from '#content/dag/dag-builder';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FileOperations } from '../disk/file-operations.ts';
import type { ByteLimit } from './throttle.ts';

/** What the bytes must be. Whatever is given is checked; nothing given means that nothing is proven. */
export interface FileIdentity {
  readonly sizeBytes?: number | undefined;
  /** Least length, when the exact one is not known (CH3). */
  readonly minBytes?: number | undefined;
  readonly digests: Digests;
  readonly cid?: string | undefined;
}

export interface TransferOptions {
  readonly file: FileIdentity;
  /** Leaves of the file's DAG. Without it the file is cut into fixed pieces that only a whole digest proves. */
  readonly table?: LeafTable | undefined;
  /** In configured order: the prior of their ranking. Names are unique. */
  readonly sources: readonly Source[];
  /** Layers in the order in which they join; sources of other layers are not used. */
  readonly layers: readonly Layer[];
  /** `ordered`: the next layer joins when the former is exhausted; `parallel`: all at once. */
  readonly strategy: Strategy;
  /** Where the bytes grow, in an existing folder; nobody else writes there. The journal lies beside it. */
  readonly partialPath: string;
  /** Default: DEFAULT_BUDGETS. */
  readonly budgets?: Readonly<Record<Layer, Budget>> | undefined;
  /** Most connections per source; default 4, never more than the source allows. */
  readonly connections?: number | undefined;
  /** Every byte is counted by each of them: of the transfer, of the worker, of the site. */
  readonly throttles?: readonly ByteLimit[] | undefined;
  /** Limits of one source, which may change while it is read. */
  readonly sourceThrottles?: ((source: Source) => readonly ByteLimit[]) | undefined;
  /** What earlier transfers measured. */
  readonly health?: ((source: Source) => SourceHealth | undefined) | undefined;
  /** Existing files or other partials whose good leaves are taken over; without a table, what journals claim of this very file. */
  readonly salvage?: readonly string[] | undefined;
  /** Also compute the CID and leaf table of the file in the same pass; where a CID is asked for without a table, to prove it. */
  readonly dagProfile?: DagProfile | undefined;
  readonly fileOperations?: FileOperations | undefined;
  /**
   * Where the whole digest of a large file is computed. Default `auto`: in a second thread when a core is free
   * and the file is large enough; `inline` never uses one.
   */
  readonly digestThread?: 'auto' | 'inline' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onTry?: ((record: TryRecord) => void) | undefined;
  readonly logger?: Logger | undefined;
  /** Monotonic milliseconds; default `performance.now`. */
  readonly now?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
}

export interface Progress {
  /** Verified (or, without a table, received) and written. Grows, except by `rolledBackBytes`. */
  readonly committedBytes: number;
  readonly totalBytes: number | undefined;
  readonly wastedBytes: number;
  /** Bytes taken back since the last report, because the whole digest refused them. */
  readonly rolledBackBytes: number;
  readonly bytesPerSecond: number;
  /** Sources that are sending now. */
  readonly activeSources: readonly string[];
  /** Every source, in the order of its rank; what tries that still run have wasted is counted when they end. */
  readonly sources: readonly SourceProgress[];
  readonly tries: number;
}

/** What one source has given so far; counted as in its report at the end. */
export type SourceProgress = Pick<SourceReport, 'source' | 'bytes' | 'wastedBytes'>;

/** One request (or one run of block requests) to one source (ME1). */
export interface TryRecord {
  readonly source: string;
  readonly kind: SourceKind;
  readonly layer: Layer;
  readonly origin: string;
  /** Why the source was asked at this place in the order (ME5). */
  readonly rankedBecause: string;
  readonly mode: SourceMode;
  readonly range: { readonly start: number; readonly end: number } | undefined;
  /** Received, whether useful or not. */
  readonly bytes: number;
  readonly committedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly durationMs: number;
  /** Until the head of the response; undefined when there was none. */
  readonly latencyMs: number | undefined;
  readonly failure: { readonly kind: SourceFailureKind; readonly message: string } | undefined;
  readonly decision: Decision['do'] | undefined;
  readonly reason: string | undefined;
}

/** `range`: spans of plain bytes; `blocks`: one raw block per leaf; `stream`: the whole file from its start. */
export type SourceMode = 'range' | 'blocks' | 'stream';

export interface SourceReport {
  readonly source: string;
  readonly layer: Layer;
  readonly mode: SourceMode;
  /** Committed from this source. */
  readonly bytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly errors: number;
  /** Why it is not asked any more; undefined while it is. */
  readonly leftBecause: string | undefined;
  /** Content coding that it named although none was asked for; the bytes are as they came. Left out without one. */
  readonly encoding?: string;
}

/** `leaves`: each leaf and the whole; `digest`: the whole file; `none`: nothing was there to prove it. */
export type Verification = 'leaves' | 'digest' | 'none';

export interface TransferResult {
  readonly partialPath: string;
  readonly sizeBytes: number;
  /** `sha256` always, and every algorithm the file's identity names. */
  readonly digests: Digests;
  /** The CID that was proven, or, where none was asked for, the one that was computed by `dagProfile`; never one that is only believed. */
  readonly cid: string | undefined;
  readonly table: LeafTable | undefined;
  /** Inner blocks of a computed DAG, to serve it. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array> | undefined;
  readonly verified: Verification;
  /** The deepest layer that gave bytes; undefined when the disk already had all of them. */
  readonly deepestLayer: Layer | undefined;
  /** Bytes that were on the disk before this run, or were salvaged, and did not have to be fetched. */
  readonly resumedBytes: number;
  /** Those of the resumed bytes that the DAG itself carries, and that were not on the disk before this run. */
  readonly carriedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly sources: readonly SourceReport[];
  /** How many there were; `onTry` is told of each. */
  readonly tryCount: number;
  /** The last 1,000 of them. */
  readonly tries: readonly TryRecord[];
}
