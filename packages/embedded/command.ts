import { spawn } from 'node:child_process';
import { OutputTail } from './output-tail.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment of the command; default: ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text for its standard input; default: none. */
  readonly input?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Milliseconds until it is killed; default 300,000. */
  readonly timeoutMs?: number;
}

/**
 * Runs a command to its end.
 *
 * @returns what it wrote to standard output
 * @throws Error when it cannot be started, is killed, or ends with another code than 0; the message carries the last
 *   lines that it wrote
 */
export function runCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input = '', timeoutMs = 300_000, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...definedOf(rest), stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' });
    const tail = new OutputTail();
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      tail.add(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => tail.add(text));
    // A command that does not read its input closes it: its exit code is the verdict, not our EPIPE.
    child.stdin.on('error', (error) => tail.add(`(its input closed early: ${error.message})\n`));
    child.stdin.end(input);
    child.on('error', (cause) => reject(new Error(`cannot run ${file}: ${cause.message}`, { cause })));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${file} ended with ${signal ?? `code ${code}`}: ${tail.text()}`));
    });
  });
}

/** @returns the record without its undefined fields: spawn tells "uid: undefined" from "no uid". */
export function definedOf<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const defined = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as { [K in keyof T]: Exclude<T[K], undefined> };
}
