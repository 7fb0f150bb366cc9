import { barLines, percentOf, plainLine, type ProgressItem } from './progress-lines.ts';

export const PROGRESS_MODES = ['auto', 'bar', 'plain', 'json', 'none'] as const;

export type ProgressMode = (typeof PROGRESS_MODES)[number];

export interface ProgressDisplay {
  update(items: readonly ProgressItem[]): void;
  /** One line for people, which stays; programs and those who asked for silence are not told. */
  say(line: string): void;
  /** Leaves the last state readable and gives the terminal back. */
  end(): void;
}

export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface ProgressEnvironment {
  readonly CI?: string | undefined;
  readonly TERM?: string | undefined;
}

const REDRAW_MS = 100;
const PLAIN_EVERY_MS = 30_000;
const PLAIN_STEP_PERCENT = 5;
/** Of a terminal that does not say its size. */
const USUAL_COLUMNS = 100;
const USUAL_ROWS = 24;
/** Lines that stay free below what is redrawn: the cursor's, and one to breathe. */
const SPARE_ROWS = 2;

/** `auto` is a bar only on a terminal that can redraw and outside CI. */
export function resolveMode(mode: ProgressMode, stream: ProgressStream, env: ProgressEnvironment): ProgressMode {
  if (mode !== 'auto') return mode;
  return stream.isTTY === true && env.CI === undefined && env.TERM !== 'dumb' ? 'bar' : 'plain';
}

/**
 * Shows progress on stderr: a redrawn block on a terminal, a plain line at every 5 % and at least every 30 s in a
 * log, one JSON object a line for programs.
 */
export function createProgress(
  mode: ProgressMode,
  stream: ProgressStream,
  env: ProgressEnvironment,
  now: () => number,
): ProgressDisplay {
  switch (resolveMode(mode, stream, env)) {
    case 'bar':
      return barDisplay(stream, now);
    case 'json':
      return {
        ...eachStep(now, (items) => stream.write(`${JSON.stringify({ progress: items })}\n`)),
        say: () => undefined,
      };
    case 'none':
      return { update: () => undefined, say: () => undefined, end: () => undefined };
    default:
      return {
        ...eachStep(now, (items) => stream.write(`${plainLine(items)}\n`)),
        say: (line) => void stream.write(`${line}\n`),
      };
  }
}

function barDisplay(stream: ProgressStream, now: () => number): ProgressDisplay {
  let drawnLines = 0;
  let drawnAt = -Infinity;
  let latest: readonly ProgressItem[] = [];
  const draw = (): void => {
    // The last column stays empty: some terminals wrap when it is written.
    const columns = Math.max(1, (stream.columns || USUAL_COLUMNS) - 1);
    const lines = barLines(latest, columns, Math.max(1, (stream.rows || USUAL_ROWS) - SPARE_ROWS));
    const up = drawnLines > 0 ? `\u001b[${drawnLines}A` : '';
    stream.write(up + lines.map((line) => `\u001b[2K${line}\n`).join(''));
    drawnLines = lines.length;
    drawnAt = now();
  };
  return {
    update(items) {
      latest = items;
      if (latest.length > 0 && now() - drawnAt >= REDRAW_MS) draw();
    },
    say(line) {
      const up = drawnLines > 0 ? `\u001b[${drawnLines}A\u001b[J` : '';
      stream.write(`${up}${line}\n`);
      drawnLines = 0;
      drawnAt = -Infinity;
    },
    end: () => {
      if (latest.length > 0) draw();
    },
  };
}

function eachStep(now: () => number, show: (items: readonly ProgressItem[]) => void): Omit<ProgressDisplay, 'say'> {
  let shownStep = -1;
  let shownAt = -Infinity;
  let stood = false;
  return {
    update(items) {
      const step = Math.floor(percentOf(items) / PLAIN_STEP_PERCENT);
      const halts = isStanding(items) && !stood;
      stood = isStanding(items);
      if (items.every(isBlank) || (step <= shownStep && !halts && now() - shownAt < PLAIN_EVERY_MS)) return;
      shownStep = Math.max(step, shownStep);
      shownAt = now();
      show(items);
    },
    end: () => undefined,
  };
}

/** Nothing is known of it yet, so a line would say nothing. */
const isBlank = ({ doneBytes, totalBytes, note }: ProgressItem): boolean =>
  doneBytes === 0 && totalBytes === undefined && note === '';

/** Work that stopped moving says at once what it waits for. */
const isStanding = (items: readonly ProgressItem[]): boolean => items.every(({ waits }) => waits === true);
