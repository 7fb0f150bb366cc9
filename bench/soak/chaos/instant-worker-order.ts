/** What a process of instant workers is told. */
export interface InstantWorkerOrder {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly hosts: readonly string[];
  /** Where `HOST.started` and `HOST.published` are kept. */
  readonly folder: string;
  /** A job takes up to this long; milliseconds. */
  readonly longestMs: number;
}

/** Every line has the same length, so that the size of a file tells how many there are. */
export const LINE_BYTES = 32;

export const lineOf = (path: string): string => `${path.padEnd(LINE_BYTES - 1)}\n`;
