import type { ByteRange } from '#core/bytes/byte-range';
import type { Digests, Strategy } from '#core/file-spec';
import type { SourceFailureKind } from '#core/failure';
import type { Layer, LayerName, SourceKind } from '#core/layer';
import type { Logger } from '#core/logger';
import type { Budget, Decision } from '#core/policy';
import type { PastHealth } from '#core/ranking';
import type { Source } from '#core/source';
import type { DagProfile } from '#content/dag/dag-builder';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FileOperations } from '../disk/file-operations.ts';
import type { ByteLimit } from './throttle.ts';

/** Identity of a file. Each field that is given is checked; without any, the bytes are not proven. */
export interface FileIdentity {
  readonly sizeBytes?: number | undefined;
  /** Least length, when the exact one is not known. */
  readonly minBytes?: number | undefined;
  readonly digests: Digests;
  readonly cid?: string | undefined;
}

/** A file that a transfer fetches leaf by leaf, as other hosts may be served from it. */
export interface HeldFile {
  /** Path of the growing file. */
  readonly path: string;
  readonly table: LeafTable;
  /** The leaf was verified and is on the disk. */
  readonly isDone: (leaf: number) => boolean;
  /** Bytes of a source so far; undefined when it is not asked any more. */
  readonly bytesFrom: (source: string) => number | undefined;
  /** The source is not asked for the leaf again, because it sent other bytes or does not have it. */
  readonly isRefused: (source: string, leaf: number) => boolean;
  /** Milliseconds until a source that is no peer may be asked; 0: now. Undefined: none is left. */
  readonly originPauseMs: () => number | undefined;
  /** Bytes that sources outside of this machine that are no peers sent in this transfer; wasted ones count when their try has ended. */
  readonly originBytes: () => number;
  /** Bytes that have arrived of leaves that begin in this part of the file and are not complete. */
  readonly begunBytes: (part: ByteRange) => number;
  /** Milliseconds that streams of this transfer had to wait for the disk. */
  readonly diskWaitMs: () => number;
  /** Calls the function when more leaves are on the disk. @returns ends that */
  readonly onMore: (listener: () => void) => () => void;
}

/** Another file of this host, such as an older version. */
export interface RelatedFile {
  readonly path: string;
  readonly table: LeafTable;
}

/** How a host that divides a file with others asks its peers. */
export interface PeerTurns {
  /** Requests at once, one to other sources included: each of a few pieces is here sooner than each of many, and is passed on sooner. */
  readonly mostRequests: number;
  /** Uploads that run or wait at the peer, as it says: the least busy one is asked first. */
  busyness(source: string): number;
  /** A peer that is busier is not asked while another one is: the request would wait there while other peers get what it asks for. */
  readonly mostBusy: number;
  /** The leaf with the least number is fetched first: it is there the fewest times. Different hosts order equal leaves differently. */
  rarity(leaf: number): number;
  /** The peer is of another site: its answers share one link with all that enters this site, so a second request for the same bytes gains nothing. */
  isFar(source: string): boolean;
  /** A request that takes longer than this may be repeated at another peer. */
  readonly patienceMs: number;
}

/** Divides a file between hosts that fetch it at the same time, so that its origin is asked once for each byte. */
export interface FileShare {
  /** The file is laid out; called again if its leaf table changes. */
  begin(file: HeldFile): void;
  /** Whether this host may ask a source that is no peer for these bytes, which are those of one leaf, now. */
  mayAsk(range: ByteRange, leaf: number): boolean;
  /** A source sent wrong bytes for a leaf. */
  refused(source: string, leaf: number): void;
  /** The peers that are known now. Peers that join while the transfer runs are asked beside the sources that it began with. */
  readonly sources: readonly Source[];
  /** @param wake call it when this host may ask for more than before; otherwise it looks a few times a second */
  listen(wake: () => void): void;
  /** Most bytes of one request; undefined: no limit. */
  readonly spanBytes: number | undefined;
  /** Which peer is asked for which leaf next. */
  readonly turns: PeerTurns;
  /** Bytes that no source may be asked for now will come from a peer, or may be asked for later. Must become false at some time. */
  readonly mayStillCome: boolean;
}

export interface TransferOptions {
  readonly file: FileIdentity;
  /** Leaves of the DAG of the file. Without it the file is cut into fixed pieces, which only the whole digest proves. */
  readonly table?: LeafTable | undefined;
  /** In configured order, which is the prior of their ranking. Names are unique. */
  readonly sources: readonly Source[];
  /** Layers in the order in which they join; sources of other layers are not used. */
  readonly layers: readonly Layer[];
  /** `ordered`: the next layer joins when the layer before it is exhausted; `parallel`: all layers at once. */
  readonly strategy: Strategy;
  /** Path of the growing file, in an existing folder; the caller ensures that no other process writes it. The journal lies beside it. */
  readonly partialPath: string;
  /** Default: DEFAULT_BUDGETS. */
  readonly budgets?: Readonly<Record<Layer, Budget>> | undefined;
  /** Most connections per source; default 4, never more than the source allows. */
  readonly connections?: number | undefined;
  /** Each limit counts every byte: of the transfer, of the worker, of the site. */
  readonly throttles?: readonly ByteLimit[] | undefined;
  /** Limits of one source; their rates may change while it is read. */
  readonly sourceThrottles?: ((source: Source) => readonly ByteLimit[]) | undefined;
  /** Measurements of earlier transfers. */
  readonly health?: ((source: Source) => PastHealth | undefined) | undefined;
  /** Place of a source in the order that an admin set for its layer, from 1; undefined: none. It goes before measurements. */
  readonly setPlace?: ((source: Source) => number | undefined) | undefined;
  /** Files or other partials whose correct leaves are copied; without a table, pieces that journals of the same file record. */
  readonly salvage?: readonly string[] | undefined;
  /** Other files whose leaves are known: those that both have are copied, wherever they stand. Only for a file with a leaf table. */
  readonly related?: readonly RelatedFile[] | undefined;
  /** Also compute the CID and leaf table of the file in the same pass; proves a CID that is given without a table. */
  readonly dagProfile?: DagProfile | undefined;
  /** Only for a file with a leaf table. */
  readonly share?: FileShare | undefined;
  readonly fileOperations?: FileOperations | undefined;
  /**
   * Where the whole digest of a large file is computed. Default `auto`: in a second thread if a core is free and the file is large
   * enough; `inline`: never in a second thread.
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
  /** All bytes before this position are committed. */
  readonly frontierBytes: number;
  readonly wastedBytes: number;
  /** Bytes dropped since the last report, because the whole digest differed. */
  readonly rolledBackBytes: number;
  readonly bytesPerSecond: number;
  /** Sources with a running try. */
  readonly activeSources: readonly string[];
  /** Every source in the order of rank. Wasted bytes of a try count when it ends. */
  readonly sources: readonly SourceProgress[];
  readonly tries: number;
}

/** Bytes of one source so far, counted as in its final report. */
export type SourceProgress = Pick<SourceReport, 'source' | 'bytes' | 'wastedBytes'>;

/** One request, or one series of block requests, to one source. */
export interface TryRecord {
  readonly source: string;
  readonly kind: SourceKind;
  readonly layer: LayerName;
  readonly origin: string;
  /** Why the source has its place in the order. */
  readonly rankedBecause: string;
  readonly mode: SourceMode;
  readonly range: { readonly start: number; readonly end: number } | undefined;
  /** All received bytes, also wasted ones. */
  readonly bytes: number;
  readonly committedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly durationMs: number;
  /** Time to the head of the response; undefined without one. */
  readonly latencyMs: number | undefined;
  readonly failure: { readonly kind: SourceFailureKind; readonly message: string } | undefined;
  readonly decision: Decision['do'] | undefined;
  readonly reason: string | undefined;
}

/** `range`: spans of plain bytes; `blocks`: one raw block per leaf; `stream`: the whole file from its start. */
export type SourceMode = 'range' | 'blocks' | 'stream';

export interface SourceReport {
  readonly source: string;
  readonly layer: LayerName;
  readonly mode: SourceMode;
  /** Committed from this source. */
  readonly bytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly errors: number;
  /** Why it is not asked any more; undefined while it may be asked. */
  readonly leftBecause: string | undefined;
  /** Content coding that it named although none was requested; the bytes are not decoded. Left out without one. */
  readonly encoding?: string;
}

/** What proved the bytes. `leaves`: each leaf; `digest`: the digest of the whole file; `none`: the identity names neither. */
export type Verification = 'leaves' | 'digest' | 'none';

export interface TransferResult {
  readonly partialPath: string;
  readonly sizeBytes: number;
  /** `sha256` always, and each algorithm that the identity names. */
  readonly digests: Digests;
  /** The proven CID; if the identity names none, the one computed with `dagProfile`. Never an unproven CID. */
  readonly cid: string | undefined;
  readonly table: LeafTable | undefined;
  /** Inner blocks of a computed DAG, for serving it. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array> | undefined;
  readonly verified: Verification;
  /** The deepest layer that sent bytes; undefined when the disk already had all of them. */
  readonly deepestLayer: Layer | undefined;
  /** Bytes that were on the disk before this run or were salvaged. */
  readonly resumedBytes: number;
  /** Resumed bytes that came inside the DAG and were not on the disk before this run. */
  readonly carriedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly sources: readonly SourceReport[];
  /** Number of tries; `onTry` is called for each. */
  readonly tryCount: number;
  /** The last 1,000 tries. */
  readonly tries: readonly TryRecord[];
}
