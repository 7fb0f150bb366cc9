/** Exit codes of the process; never renumbered (docs/guide/cli.md). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notAllowed: 3,
  nothingToDo: 4,
  cancelled: 5,
  unreachable: 6,
  serverError: 7,
  timedOut: 124,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OF_SIGNAL = { SIGHUP: EXIT.hungUp, SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;

/** The signals that end a command in an orderly way. */
export const ENDING_SIGNALS = Object.keys(OF_SIGNAL) as (keyof typeof OF_SIGNAL)[];

/** The exit code of a shell for a program that the signal ended: 128 plus the signal's number. */
export const exitCodeOfSignal = (signal: keyof typeof OF_SIGNAL): ExitCode => OF_SIGNAL[signal];

/** Ends a command with one sentence for people and a code for pipelines. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The program that a command runs has ended; the command exits with the same code, whatever signal it passed on. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`ended with ${exitCode}`);
    this.exitCode = exitCode;
  }
}
