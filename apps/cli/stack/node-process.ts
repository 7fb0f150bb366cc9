import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { logTail } from './log-tail.ts';

/** A process of Haulier, started by `haulier up`. */
export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended, by exit or by signal. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** SIGTERM, and SIGKILL after the deadline. Safe twice. */
  stop(): Promise<void>;
  /** The last lines of its log since its start, for an error message. */
  logTail(): Promise<string>;
  /** Messages that it sent to its parent over IPC; never written to the log. */
  readonly messages: readonly unknown[];
  /**
   * Asks it over IPC.
   *
   * @param find the answer in a message; undefined where the message is none
   * @returns undefined when it ended first
   */
  ask<Answer>(message: object, find: (message: unknown) => Answer | undefined): Promise<Answer | undefined>;
}

const STOP_DEADLINE_MS = 5_000;

/**
 * Starts a Node program with its output in a log file. Its own process group keeps the terminal's Ctrl-C away, so that the parent stops
 * it in order. The IPC channel lets it notice when its parent is gone.
 *
 * @param options.launcher words in front of the command, of a program that becomes it, such as `ip netns exec NAME`
 * @param options.sharesGroup it stays in the process group of this process: a signal to the group reaches it too
 */
export async function startNodeProcess(options: {
  name: string;
  script: string;
  args?: readonly string[];
  env: NodeJS.ProcessEnv;
  logPath: string;
  sharesGroup?: boolean | undefined;
  launcher?: readonly string[] | undefined;
}): Promise<NodeProcess> {
  const log = await open(options.logPath, 'a', 0o600);
  const { size: logStart } = await log.stat();
  const { launcher = [], script, args = [] } = options;
  const [program, ...words] = [...launcher, process.execPath, '--enable-source-maps', script, ...args];
  const child = spawn(program!, words, {
    env: options.env,
    detached: !options.sharesGroup,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  const ended = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  // Workers that start together ask at the same time, and each question listens for its own answer.
  child.setMaxListeners(0);
  await once(child, 'spawn').finally(() => log.close());
  return {
    messages,
    name: options.name,
    pid: child.pid!,
    ended,
    ask: (message, find) => askChild(child, ended, message, find),
    stop: () => stopChild(child, ended),
    logTail: () => logTail(options.logPath, logStart),
  };
}

async function stopChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await ended;
  clearTimeout(force);
}

async function askChild<Answer>(
  child: ChildProcess,
  ended: Promise<unknown>,
  message: object,
  find: (message: unknown) => Answer | undefined,
): Promise<Answer | undefined> {
  const answered = new Promise<Answer>((resolve) => {
    const listen = (heard: unknown): void => {
      const answer = find(heard);
      if (answer === undefined) return;
      child.off('message', listen);
      resolve(answer);
    };
    child.on('message', listen);
  });
  child.send(message);
  return Promise.race([answered, ended.then(() => undefined)]);
}
