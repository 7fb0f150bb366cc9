import type { ByteRange } from './bytes/byte-range.ts';
import type { Layer, SourceKind } from './layer.ts';
import type { Validator } from './bytes/validator.ts';

/** What a source can do, as far as it is known; learned by asking, never assumed. */
export interface SourceCapabilities {
  /** Serves byte ranges. `undefined` until the first answer shows it. */
  readonly range: boolean | undefined;
  /** Serves single IPFS blocks by CID (`format=raw`). */
  readonly blocks: boolean;
  /** Files longer than this are not served by range; bytes. */
  readonly maxRangeFileBytes?: number | undefined;
  /** Most connections to use at once. */
  readonly maxConnections: number;
  /** Requests per minute the source tolerates. */
  readonly requestsPerMinute?: number | undefined;
  /** Requests per minute it tolerates for one CID: that of the file where bytes are read, that of the block where a block is. */
  readonly requestsPerMinutePerCid?: number | undefined;
}

/** What a response says before its first byte. All of it is already checked against the request (docs/rules/http.md). */
export interface ResponseHead {
  /** Position in the file of the first byte that follows. */
  readonly start: number;
  /** Position after the last byte the response promises, when it says so. */
  readonly end: number | undefined;
  /** Length of the whole file according to this source, when it says so. */
  readonly totalBytes: number | undefined;
  /** Version of what is being sent; undefined when nothing shows it beyond doubt. */
  readonly validator: Validator | undefined;
  /** Content coding that the source names although none was asked for; the bytes are never decoded. */
  readonly encoding?: string | undefined;
  /** What the server calls the file; from a stranger, not checked. */
  readonly fileName?: string | undefined;
  /** The file itself continues under another name, such as a repository's commit. */
  readonly revision?: string | undefined;
}

/**
 * Takes the bytes of one response. A chunk is valid only during the call: the transport reuses its memory.
 * Returning a promise holds the transport until it settles. Throwing ends the response.
 */
export interface ByteSink {
  head(head: ResponseHead): void;
  write(chunk: Uint8Array): void | Promise<void>;
}

export interface ReadRequest {
  /** The bytes wanted; undefined asks for the whole file without a Range header. */
  readonly range?: ByteRange | undefined;
  /** Exact length of the file when it is pinned: another total is a `size-mismatch` before a byte is taken. */
  readonly sizeBytes?: number | undefined;
  /**
   * Nothing will prove the bytes: the version of those before the range, where it is known. The source may make the range depend on it
   * (`If-Range`), and an answer with the whole file instead of the range is sent to the sink, whose head starts at 0.
   */
  readonly continues?: { readonly validator: Validator | undefined } | undefined;
}

/**
 * A place that can send bytes of one file. Made by a factory in `packages/sources`; concerns (limits, health,
 * observation) are wrappers with the same interface. A source never retries and never writes to disk.
 */
export interface Source {
  /** Unique within a transfer, free of secrets: for people, logs and provenance. */
  readonly name: string;
  readonly kind: SourceKind;
  readonly layer: Layer;
  /** What rate limits, health and breakers belong to: `scheme://host:port`, or a path for local kinds. */
  readonly origin: string;
  /** The rate limit of the origin that its reads are counted by, where that is known. */
  readonly bucket?: string | undefined;
  /** The CID that its reads ask for, where they ask for one. */
  readonly cid?: string | undefined;
  capabilities(): SourceCapabilities;
  /** Whether the source has these bytes now: a peer that still fetches the file has parts of it, and more of them later. Undefined: all. */
  readonly holds?: ((range: ByteRange) => boolean) | undefined;
  /**
   * Sends the wanted bytes, or a legal prefix of them, to the sink.
   *
   * Resolves when the response ended as it promised; a prefix is legal (RFC 9110 section 15.3.7), the caller
   * asks for the rest.
   * @throws SourceError; chunks that were written before stay valid positions of the file
   */
  read(request: ReadRequest, sink: ByteSink, signal: AbortSignal): Promise<void>;
  /**
   * Fetches one IPFS block; undefined where the source has no blocks. The bytes are NOT verified here.
   * @param maxBytes a longer answer is refused
   * @throws SourceError
   */
  readonly readBlock?: ((cid: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>) | undefined;
}
