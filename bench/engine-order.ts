/** One file the engine is told to fetch. */
export interface FileOrder {
  /** Absolute; the partial grows beside it. */
  readonly target: string;
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
  readonly cid?: string | undefined;
  /** Mirrors. */
  readonly urls: readonly string[];
}

export interface EngineOrder {
  readonly files: readonly FileOrder[];
  readonly gateways?: readonly string[] | undefined;
  /** Files at once; default 1. */
  readonly atOnce?: number | undefined;
  readonly connections?: number | undefined;
  readonly limitBytesPerSecond?: number | undefined;
  /** Sync the file and its folder, as for a user's target; default: only rename. */
  readonly syncs?: boolean | undefined;
  /** Also compute the CID in the same pass, as a worker does for a file without one. */
  readonly computesCid?: boolean | undefined;
  /** The engine kills itself when it has received so many bytes. */
  readonly diesAtBytes?: number | undefined;
}

export interface EngineReport {
  readonly cpuMs: number;
  readonly peakBytes: number;
  readonly facts: Readonly<{
    resumedBytes: number;
    receivedBytes: number;
    /** From the order to the first byte of a body. */
    firstByteMs: number;
  }>;
}

export type EngineAnswer =
  { readonly is: 'done'; readonly report: EngineReport } | { readonly is: 'failed'; readonly message: string };
