/** A file that the origin makes, writes to the folder and shows. Every fifth MiB comes from `changed`, where that is given. */
export interface FileOrder {
  readonly seed: string;
  readonly sizeBytes: number;
  readonly changed?: string | undefined;
}

/** What the process of the origin is told at its start. */
export interface OriginOrder {
  readonly folder: string;
  readonly bind: string;
  readonly port: number;
  /** Undefined: its link limits it. */
  readonly bytesPerSecond?: number | undefined;
}

/** A file of the origin, for a manifest. */
export interface OriginFile {
  readonly path: string;
  readonly diskPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly cid: string;
}

export type OriginQuestion = { readonly make: FileOrder } | { readonly count: true };
export type OriginAnswer = { readonly made: OriginFile } | { readonly sent: number };
