import { formatBytes, formatDuration } from '#core/units';

export const PROGRESS_MODES = ['auto', 'bar', 'plain', 'json', 'none'] as const;

export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** One thing in motion; bytes are committed bytes and never go backwards. */
export interface ProgressItem {
  readonly label: string;
  readonly doneBytes: number;
  /** Undefined while the size is not known. */
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** Where the bytes come from, or what is being waited for. */
  readonly note: string;
}

export interface ProgressDisplay {
  update(items: readonly ProgressItem[]): void;
  /** Leaves the last state readable and gives the terminal back. */
  end(): void;
}

export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressEnvironment {
  readonly CI?: string | undefined;
  readonly TERM?: string | undefined;
}

const REDRAW_MS = 100;
const PLAIN_EVERY_MS = 30_000;
const PLAIN_STEP_PERCENT = 5;
const BAR_CELLS = 24;

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
      return eachStep(now, (items) => stream.write(`${JSON.stringify({ progress: items })}\n`));
    case 'none':
      return { update: () => undefined, end: () => undefined };
    default:
      return eachStep(now, (items) => stream.write(`${items.map(plainLine).join(' | ')}\n`));
  }
}

function barDisplay(stream: ProgressStream, now: () => number): ProgressDisplay {
  let drawnLines = 0;
  let drawnAt = -Infinity;
  let latest: readonly ProgressItem[] = [];
  const draw = (): void => {
    const width = (stream.columns ?? 100) - 1;
    const up = drawnLines > 0 ? `\u001b[${drawnLines}A` : '';
    stream.write(up + latest.map((item) => `\u001b[2K${barLine(item).slice(0, width)}\n`).join(''));
    drawnLines = latest.length;
    drawnAt = now();
  };
  return {
    update(items) {
      latest = items;
      if (now() - drawnAt >= REDRAW_MS) draw();
    },
    end: () => {
      if (latest.length > 0) draw();
    },
  };
}

function eachStep(now: () => number, show: (items: readonly ProgressItem[]) => void): ProgressDisplay {
  let shownStep = -1;
  let shownAt = -Infinity;
  return {
    update(items) {
      const step = Math.floor(percentOf(items) / PLAIN_STEP_PERCENT);
      if (step <= shownStep && now() - shownAt < PLAIN_EVERY_MS) return;
      shownStep = step;
      shownAt = now();
      show(items);
    },
    end: () => undefined,
  };
}

function percentOf(items: readonly ProgressItem[]): number {
  const total = items.reduce((sum, item) => sum + (item.totalBytes ?? 0), 0);
  const done = items.reduce((sum, item) => sum + item.doneBytes, 0);
  return total === 0 ? 0 : Math.min(100, (done / total) * 100);
}

function barLine(item: ProgressItem): string {
  const percent = percentOf([item]);
  const filled = Math.round((percent / 100) * BAR_CELLS);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
  return `${item.label.padEnd(24)} ${bar} ${percent.toFixed(0).padStart(3)}%  ${amounts(item)}`;
}

const plainLine = (item: ProgressItem): string => `${item.label} ${percentOf([item]).toFixed(0)}% ${amounts(item)}`;

function amounts(item: ProgressItem): string {
  const total = item.totalBytes === undefined ? '?' : formatBytes(item.totalBytes);
  const leftMs = item.totalBytes !== undefined && item.bytesPerSecond > 0 ? etaMs(item, item.totalBytes) : undefined;
  const eta = leftMs === undefined || leftMs <= 0 ? '' : `  eta ${formatDuration(leftMs)}`;
  return `${formatBytes(item.doneBytes)} of ${total}  ${formatBytes(item.bytesPerSecond)}/s${eta}  ${item.note}`;
}

const etaMs = (item: ProgressItem, totalBytes: number): number =>
  ((totalBytes - item.doneBytes) / item.bytesPerSecond) * 1000;
