#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { CliError, ENDING_SIGNALS, EXIT, ProcessEnded, exitCodeOfSignal, type ExitCode } from './exit-code.ts';
import type { CommandContext } from './context.ts';
import { createProgram } from './program.ts';
import { unknownVariables } from './settings.ts';

const interrupted = new AbortController();
for (const signal of ENDING_SIGNALS)
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(exitCodeOfSignal(signal));
    interrupted.abort(signal);
  });

// A closed pipe on stdout (`haulier … | head`) ends the command without a stack trace; on stderr it only ends the messages.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  if (!isTerminalGone(error)) throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && !isTerminalGone(error)) throw error;
});

const context: CommandContext = {
  env: process.env,
  // Reading the property opens stdin, which most commands do not need.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  distDir: fileURLToPath(new URL('../..', import.meta.url)),
  signal: interrupted.signal,
};

for (const warning of unknownVariables(context.env)) context.stderr.write(`warning: ${warning}\n`);
try {
  await createProgram(context, process.argv[2]).parseAsync(process.argv);
  process.exitCode = codeOfSignal() ?? EXIT.done;
} catch (error) {
  process.exitCode = report(error);
}

/** A closed terminal also sends SIGHUP, which ends the command in order. */
function isTerminalGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EIO';
}

function codeOfSignal(): ExitCode | undefined {
  return interrupted.signal.aborted ? exitCodeOfSignal(interrupted.signal.reason) : undefined;
}

/** A failure after an interruption is not printed, unless the command made its message for that. */
function report(error: unknown): number {
  if (error instanceof ProcessEnded) return error.exitCode;
  const interruptedBy = codeOfSignal();
  if (interruptedBy !== undefined && !(error instanceof CliError && error.exitCode === interruptedBy))
    return interruptedBy;
  if (error instanceof CliError) {
    if (error.message !== '') process.stderr.write(`error: ${error.message} (${error.exitCode})\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)} (${EXIT.serverError})\n`,
  );
  return EXIT.serverError;
}
