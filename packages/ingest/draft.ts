import type { SourceSpec } from '#core/file-spec';

/** One file as it was found: its place, length and proof. */
export interface DraftFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256?: string | undefined;
  readonly cid?: string | undefined;
}

/** A source of every file of a manifest; a hub's path is the file's path. */
export type DraftSource = Omit<Extract<SourceSpec, { kind: 'huggingface' }>, 'path'>;

/** What an ingest found. The caller names it, checks it with the manifest contract, and publishes it. */
export interface Draft {
  readonly files: readonly DraftFile[];
  readonly sources?: readonly DraftSource[] | undefined;
  /** The IPFS folder or file it was read from; canonical. */
  readonly cid?: string | undefined;
  /** What the origin calls this state, such as a commit; a good name for the version. */
  readonly version: string;
}

/** How far the bytes that an ingest has to read are. */
export interface IngestProgress {
  /** What is being done, such as `hashing 12 files`. */
  readonly what: string;
  readonly doneBytes: number;
  /** Undefined while it is not known. */
  readonly totalBytes: number | undefined;
}

export type OnIngestProgress = (progress: IngestProgress) => void;
