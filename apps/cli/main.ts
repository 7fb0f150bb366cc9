#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { isCliError, EXIT, ProcessEnded } from './exit-code.ts';
import type { CommandContext } from './context.ts';
import { createProgram } from './program.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated);
    interrupted.abort(signal);
  });

// A closed pipe (`haulier … | head`) ends the command without a stack trace; without a reader, talk is for nobody.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const context: CommandContext = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  distDir: fileURLToPath(new URL('../..', import.meta.url)),
  signal: interrupted.signal,
};

try {
  await createProgram(context).parseAsync(process.argv);
  process.exitCode = codeOfSignal() ?? EXIT.done;
} catch (error) {
  process.exitCode = report(error);
}

function codeOfSignal(): number | undefined {
  if (!interrupted.signal.aborted) return undefined;
  return interrupted.signal.reason === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
}

function report(error: unknown): number {
  if (error instanceof ProcessEnded) return error.exitCode;
  if (isCliError(error)) {
    if (error.message !== '') process.stderr.write(`error: ${error.message} (${error.exitCode})\n`);
    return codeOfSignal() ?? error.exitCode;
  }
  const interruptedBy = codeOfSignal();
  if (interruptedBy !== undefined) return interruptedBy;
  process.stderr.write(
    `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)} (${EXIT.serverError})\n`,
  );
  return EXIT.serverError;
}
