import {
  barLines,
  manyLines,
  totalPercentOf,
  plainLine,
  totalLine,
  type ProgressItem,
  type ProgressTotal,
} from './progress-lines.ts';

export const PROGRESS_MODES = ['auto', 'bar', 'plain', 'json', 'none'] as const;

export type ProgressMode = (typeof PROGRESS_MODES)[number];

export interface ProgressDisplay {
  update(items: readonly ProgressItem[]): void;
  /** Writes one line that stays; not in the modes json and none. */
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
/** Size of a terminal that reports none. */
const USUAL_COLUMNS = 100;
const USUAL_ROWS = 24;
/** Lines below the redrawn block: the cursor's, and an empty one. */
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

export interface ManyDisplay {
  /** @param items files to show: all of a few, of many only those in flight */
  update(items: () => readonly ProgressItem[], total: ProgressTotal): void;
  /** One file has ended, as the sentence tells. */
  ended(sentence: string): void;
  /** Leaves the last state readable and gives the terminal back. */
  end(): void;
}

/**
 * Shows many files on stderr: on a terminal a redrawn block with a line for each file and one for all of them; in a log a line for each file
 * that has ended, and one for all of them at every 5 % and at least every 30 s; one JSON object a line for programs.
 */
export function createManyProgress(
  mode: ProgressMode,
  stream: ProgressStream,
  env: ProgressEnvironment,
  now: () => number,
): ManyDisplay {
  switch (resolveMode(mode, stream, env)) {
    case 'bar':
      return manyBars(stream, now);
    case 'json':
      return manySteps(now, (items, total) => stream.write(`${JSON.stringify({ progress: items, total })}\n`));
    case 'none':
      return { update: () => undefined, ended: () => undefined, end: () => undefined };
    default:
      return {
        ...manySteps(now, (_items, total) => stream.write(`${totalLine(total)}\n`)),
        ended: (sentence) => void stream.write(`${sentence}\n`),
      };
  }
}

function manyBars(stream: ProgressStream, now: () => number): ManyDisplay {
  const block = redrawnBlock(stream);
  let drawnAt = -Infinity;
  let latest: [() => readonly ProgressItem[], ProgressTotal] | undefined;
  const draw = (): void => {
    if (latest === undefined) return;
    const [items, total] = latest;
    block.draw((columns, rows) => manyLines(items(), total, columns, rows));
    drawnAt = now();
  };
  return {
    update(items, total) {
      latest = [items, total];
      if (now() - drawnAt >= REDRAW_MS) draw();
    },
    ended: () => undefined,
    end: draw,
  };
}

function manySteps(
  now: () => number,
  show: (items: readonly ProgressItem[], total: ProgressTotal) => void,
): ManyDisplay {
  let shownStep = 0;
  let shownAt = now();
  /** The last update that was not shown. */
  let latest: [() => readonly ProgressItem[], ProgressTotal] | undefined;
  return {
    update(items, total) {
      latest = [items, total];
      // The number of files is always known, sizes are not.
      const share = total.totalBytes === undefined ? total.doneFiles / total.files : totalPercentOf([total]) / 100;
      const step = Math.floor((share * 100) / PLAIN_STEP_PERCENT);
      if (step <= shownStep && now() - shownAt < PLAIN_EVERY_MS) return;
      shownStep = Math.max(step, shownStep);
      shownAt = now();
      latest = undefined;
      show(items(), total);
    },
    ended: () => undefined,
    end() {
      if (latest !== undefined) show(latest[0](), latest[1]);
      latest = undefined;
    },
  };
}

interface RedrawnBlock {
  /** Draws lines in place of those that were drawn before. */
  draw(linesOf: (columns: number, rows: number) => readonly string[]): void;
  /** Writes a line in place of the block, which is drawn below it next time. */
  say(line: string): void;
}

/** A block of lines on a terminal that is drawn again and again. */
export function redrawnBlock(stream: ProgressStream): RedrawnBlock {
  let drawnLines = 0;
  const draw: RedrawnBlock['draw'] = (linesOf) => {
    // The last column stays empty: some terminals wrap when it is written.
    const columns = Math.max(1, (stream.columns || USUAL_COLUMNS) - 1);
    const lines = linesOf(columns, Math.max(1, (stream.rows || USUAL_ROWS) - SPARE_ROWS));
    const up = drawnLines > 0 ? `\u001b[${drawnLines}A` : '';
    // `J` clears the rest of a longer block.
    stream.write(
      `${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}${lines.length < drawnLines ? '\u001b[J' : ''}`,
    );
    drawnLines = lines.length;
  };
  return {
    draw,
    say(line) {
      const up = drawnLines > 0 ? `\u001b[${drawnLines}A\u001b[J` : '';
      stream.write(`${up}${line}\n`);
      drawnLines = 0;
    },
  };
}

function barDisplay(stream: ProgressStream, now: () => number): ProgressDisplay {
  const block = redrawnBlock(stream);
  let drawnAt = -Infinity;
  let latest: readonly ProgressItem[] = [];
  const draw = (): void => {
    block.draw((columns, rows) => barLines(latest, columns, rows));
    drawnAt = now();
  };
  return {
    update(items) {
      latest = items;
      if (latest.length > 0 && now() - drawnAt >= REDRAW_MS) draw();
    },
    say(line) {
      block.say(line);
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
      const step = Math.floor(totalPercentOf(items) / PLAIN_STEP_PERCENT);
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

/** True when the item has neither bytes nor size nor note to show. */
const isBlank = ({ doneBytes, totalBytes, note }: ProgressItem): boolean =>
  doneBytes === 0 && totalBytes === undefined && note === '';

/** Waiting items are shown at once, with their reason. */
const isStanding = (items: readonly ProgressItem[]): boolean => items.every(({ waits }) => waits === true);
