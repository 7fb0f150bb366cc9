import { readFileSync } from 'node:fs';
import type { CommandContext } from '../context.ts';
import { resolveMode, type ProgressMode } from '../terminal/progress.ts';

/** What the keys do. */
export interface KeyActions {
  /** Shows a line at the end of the drawn block, at once; undefined: the line for a block without keys. */
  hint(line: string | undefined): void;
  /** `q` was pressed. */
  stop(): void;
  /** `c` was pressed and confirmed. */
  cancel(): void;
}

export const KEYS_HINT = 'q stop watching · c cancel the rollout';
export const CANCEL_QUESTION = 'cancel the rollout? y: yes · any other key: no';

/** Keys that a terminal turns into signals, which it does not do while single keys are read. */
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = {
  '\u0003': 'SIGINT',
  '\u001a': 'SIGTSTP',
  '\u001c': 'SIGQUIT',
};
const LOOK_MS = 250;

/**
 * Reads single keys while a block is redrawn on a terminal. They are read only while the process is in the foreground of
 * its terminal: in the background, the system would stop it for that. Ctrl-C, Ctrl-Z and Ctrl-\ keep their meaning.
 *
 * @returns ends the reading and gives the terminal back
 */
export function readKeys(mode: ProgressMode, context: CommandContext, actions: KeyActions): () => void {
  const isDrawn = context.stderr.isTTY === true && resolveMode(mode, context.stderr, context.env) === 'bar';
  if (!isDrawn || context.stdin.isTTY !== true) return () => undefined;
  const { stdin } = context;
  const pressed = keysOf(actions);
  let isReading = false;
  const rest = (): void => {
    if (!isReading) return;
    isReading = false;
    stdin.pause();
    if (isInForeground()) stdin.setRawMode?.(false);
    actions.hint(undefined);
  };
  const onData = (chunk: Uint8Array): void => {
    const text = Buffer.from(chunk).toString('utf8');
    const control = [...text].find((one) => one in SIGNALS);
    if (control === undefined) return pressed(text);
    rest();
    // To the whole group, as the terminal does it.
    process.kill(0, SIGNALS[control]);
  };
  const look = (): void => {
    if (!isInForeground()) return rest();
    if (isReading) return;
    isReading = true;
    // The shell may have changed the terminal while this process was stopped, and a mode that is set already is not set again.
    stdin.setRawMode?.(false);
    stdin.setRawMode?.(true);
    stdin.resume();
    actions.hint(KEYS_HINT);
  };
  const onContinued = (): void => {
    rest();
    look();
  };
  stdin.on('data', onData);
  stdin.pause();
  process.on('SIGCONT', onContinued);
  const timer = setInterval(look, LOOK_MS).unref();
  look();
  return () => {
    clearInterval(timer);
    process.off('SIGCONT', onContinued);
    stdin.off('data', onData);
    rest();
  };
}

/** @returns takes what one read of the terminal gave. Pasted text and keys such as arrows are several characters: they mean nothing. */
export function keysOf({ hint, stop, cancel }: KeyActions): (text: string) => void {
  let isAsked = false;
  return (text) => {
    // A key that is held down counts once for each read: `c` does not confirm itself.
    const key = new Set(text).size === 1 ? text[0]!.toLowerCase() : '';
    const wasAsked = isAsked;
    isAsked = !wasAsked && key === 'c';
    if (wasAsked || isAsked) hint(isAsked ? CANCEL_QUESTION : KEYS_HINT);
    if (wasAsked) {
      if (key === 'y') cancel();
    } else if (key === 'q') stop();
  };
}

/** False also where the system does not tell, as only Linux does here (proc_pid_stat(5), fields pgrp and tpgid). */
function isInForeground(): boolean {
  if (process.platform !== 'linux') return false;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // The name of the program before them may hold spaces and brackets.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
