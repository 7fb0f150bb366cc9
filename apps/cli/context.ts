import type { ProgressEnvironment, ProgressStream } from './terminal/progress.ts';

/** What a command may use of the outside; made by `main.ts`. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv & ProgressEnvironment;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: ProgressStream;
  /** What `-` names as an input file. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Folder of the compiled programs. */
  readonly distDir: string;
  /** Aborted by SIGINT or SIGTERM; `reason` is the signal's name. */
  readonly signal: AbortSignal;
}
