import type { Readable } from 'node:stream';
import type { ProgressEnvironment, ProgressStream } from './terminal/progress.ts';

/** Environment, streams and signal of a command; `main.ts` makes it. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv & ProgressEnvironment;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: ProgressStream;
  /** Read for the input file `-` and for a token; on a terminal it can hide what is typed, and give single keys. */
  readonly stdin: Pick<Readable, 'on' | 'off' | 'pause' | 'resume' | typeof Symbol.asyncIterator> & {
    readonly isTTY?: boolean;
    setRawMode?(hidden: boolean): unknown;
  };
  /** Folder of the compiled programs. */
  readonly distDir: string;
  /** Aborted by SIGINT or SIGTERM; `reason` is the signal's name. */
  readonly signal: AbortSignal;
}
