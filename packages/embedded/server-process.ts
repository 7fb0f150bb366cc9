import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { codeOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { definedOf } from './command.ts';
import { OutputTail } from './output-tail.ts';

export interface ServerCommand {
  /** For logs and messages. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Added to a minimal environment: a server inherits none of ours, so none of our secrets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly stopSignal: 'SIGINT' | 'SIGTERM' | 'SIGQUIT';
  /** Milliseconds between the stop signal and SIGKILL; default 10,000. */
  readonly stopTimeoutMs?: number;
}

export interface ServerProcess {
  /** The server itself, not its guard. */
  readonly pid: number;
  /** Resolves with a sentence when the server has ended, for any reason. */
  readonly exited: Promise<string>;
  /** The last lines it wrote. */
  outputTail(): string;
  /** Stops it and waits until it is gone; safe twice and after its end. */
  stop(): Promise<void>;
}

export const SERVER_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin',
  LC_ALL: 'C',
  HOME: '/nonexistent',
};

/**
 * A shell of a few hundred kilobytes between us and the server. It holds the reading end of a pipe whose writing end is
 * ours: when we are gone, however brutally, the pipe ends and the server is told to stop. So a crash leaves nothing.
 */
const GUARD = `
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
server=$!
echo "$server" >&3
exec 3>&-
(while read -r line <&4; do :; done; kill -s "$STOP_SIGNAL" "$server") >/dev/null 2>&1 &
guard=$!
exec 4<&-
wait "$server"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
`;

/**
 * Starts a server in a session of its own: the terminal's Ctrl-C reaches us alone, and we stop servers in order.
 *
 * @throws Error when it cannot be started at all; a server that starts and then fails shows in `exited`
 */
export async function startServerProcess(command: ServerCommand, logger: Logger): Promise<ServerProcess> {
  const child = spawn('/bin/sh', ['-c', GUARD, 'sh', command.file, ...command.args], {
    ...definedOf({ uid: command.uid, gid: command.gid }),
    cwd: '/',
    detached: true,
    env: { ...SERVER_ENV, ...command.env, STOP_SIGNAL: command.stopSignal.slice('SIG'.length) },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const tail = new OutputTail();
  follow(child, command.name, tail, logger);
  const exited = exitOf(child, command.name);
  const pid = Number(await Promise.race([text(child.stdio[3] as Readable), exited]));
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`cannot start ${command.name}: ${tail.text()}`);
  // A guard that was killed leaves its server behind.
  void exited.then(() => child.signalCode !== null && send(pid, command.stopSignal));
  let stopping: Promise<void> | undefined;
  return {
    pid,
    exited,
    outputTail: () => tail.text(),
    stop: () => (stopping ??= stopServer(child, pid, command)),
  };
}

function follow(child: ChildProcess, name: string, tail: OutputTail, logger: Logger): void {
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of tail.add(chunk)) logger.debug({ server: name, line }, 'server output');
    });
  }
  child.stdin?.on('error', (err) => logger.debug({ server: name, err }, 'guard pipe closed'));
}

function exitOf(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`${name} cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => resolve(`${name} ended with ${signal ?? meaningOf(code)}`));
  });
}

/** A shell reports a death by signal n as 128 + n. */
function meaningOf(code: number | null): string {
  return code !== null && code > 128 ? `signal ${code - 128}` : `code ${code}`;
}

async function stopServer(child: ChildProcess, pid: number, command: ServerCommand): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  send(pid, command.stopSignal);
  const killer = setTimeout(() => send(pid, 'SIGKILL'), command.stopTimeoutMs ?? 10_000);
  await gone;
  clearTimeout(killer);
}

/** The server may end by itself between our look and our signal. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
