import { Readable } from 'node:stream';
import type { CommandContext } from '../../apps/cli/context.ts';
import { CliError } from '../../apps/cli/exit-code.ts';

/** How a command ended, and what it said. */
export interface CommandEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  readonly distDir?: string;
  /** Called with everything that is written to stdout. */
  readonly onStdout?: (text: string) => void;
  /** Called with everything that is written to stderr. */
  readonly onStderr?: (text: string) => void;
}

/** Runs a command of the command line in this process. */
export async function runCommand(
  command: (context: CommandContext) => Promise<void> | void,
  { env = {}, stdin, signal = new AbortController().signal, distDir = '', onStdout, onStderr }: CommandOptions = {},
): Promise<CommandEnd> {
  const said = { stdout: '', stderr: '' };
  const context: CommandContext = {
    ...{ env, distDir, signal },
    stdout: {
      write(text) {
        said.stdout += text;
        onStdout?.(text);
      },
    },
    stderr: {
      write(text) {
        said.stderr += text;
        onStderr?.(text);
      },
    },
    stdin: Readable.from(stdin === undefined ? [] : [Buffer.from(stdin)]),
  };
  try {
    await command(context);
    return { code: 0, ...said, message: '' };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { code: error.exitCode, ...said, message: error.message };
  }
}
