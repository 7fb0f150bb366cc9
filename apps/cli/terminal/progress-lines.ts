import { formatBytes, formatDuration, MINUTE_MS, SECOND_MS } from '#core/units';
import { cellsOf, clipEnd, clipStart, padEnd, printable } from './cells.ts';

const MOST_BAR_CELLS = 24;
const LEAST_BAR_CELLS = 8;
/** ` 100%  78.6 MB of 300 MB  `: the cells between the bar and the rest. */
const AMOUNT_CELLS = '78.6 MB of 78.6 MB'.length;
const FIXED_CELLS = ' '.length * 2 + '100%'.length + 2 * '  '.length + AMOUNT_CELLS;
/** The bar shrinks before speed, time and source have fewer cells than this. */
const WANTED_TAIL_CELLS = 44;
const LEAST_LABEL_CELLS = 8;

/** One file or step; bytes are committed bytes and never decrease. */
export interface ProgressItem {
  readonly label: string;
  readonly doneBytes: number;
  /** Undefined while the size is not known. */
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** Source of the bytes, or the reason of a wait. */
  readonly note: string;
  /** True while no bytes arrive and the note gives the reason. */
  readonly waits?: boolean | undefined;
}

export function totalPercentOf(items: readonly ProgressItem[]): number {
  const total = items.reduce((sum, item) => sum + (item.totalBytes ?? 0), 0);
  const done = items.reduce((sum, item) => sum + item.doneBytes, 0);
  return total === 0 ? 0 : Math.min(100, (done / total) * 100);
}

/**
 * One line for each item, none longer than the terminal is wide, so that nothing wraps. Where there are more items than
 * lines, those in motion are shown and the last line sums up the rest.
 */
export function barLines(items: readonly ProgressItem[], columns: number, rows: number): string[] {
  const { shown, hidden } = selectShown(items, rows);
  const labelCells = Math.min(
    Math.max(...shown.map(({ label }) => cellsOf(printable(label)))),
    Math.max(LEAST_LABEL_CELLS, Math.floor(columns * 0.3)),
  );
  const free = columns - labelCells - FIXED_CELLS - WANTED_TAIL_CELLS;
  const barCells = Math.max(LEAST_BAR_CELLS, Math.min(MOST_BAR_CELLS, free));
  const lines = shown.map((item) => clipEnd(barLine(item, labelCells, barCells), columns));
  return hidden.length === 0
    ? lines
    : [...lines, clipEnd(`${'…'.padEnd(labelCells)} ${sumUp(items, hidden)}`, columns)];
}

/** All files of one command together. */
export interface ProgressTotal extends ProgressItem {
  readonly files: number;
  readonly doneFiles: number;
}

/** One line for each item as barLines, and a last one for all files together. */
export function manyLines(
  items: readonly ProgressItem[],
  total: ProgressTotal,
  columns: number,
  rows: number,
): string[] {
  const shown = selectShown(items, Math.max(1, rows - 1)).shown;
  return barLines([...shown, total], columns, shown.length + 1);
}

/** The line of a log for all files together. */
export const totalLine = (total: ProgressTotal): string =>
  [`${total.label} ${percentText([total], ' ')}${amountOf(total)}`, tailOf(total)].join('  ').trimEnd();

/** One line for a log: at most three items by name, many as a sum. */
export function plainLine(items: readonly ProgressItem[]): string {
  const { shown, hidden } = selectShown(items, 3);
  const parts = shown.map((item) =>
    `${printable(item.label)} ${percentText([item], ' ')}${amountOf(item)}  ${tailOf(item)}`.trimEnd(),
  );
  return [...(hidden.length === 0 ? [] : [sumUp(items, hidden)]), ...parts].join(' | ');
}

function selectShown(
  items: readonly ProgressItem[],
  lines: number,
): { shown: readonly ProgressItem[]; hidden: readonly ProgressItem[] } {
  if (items.length <= lines) return { shown: items, hidden: [] };
  const places = items.map((_, place) => place).sort((a, b) => interestOf(items[b]!) - interestOf(items[a]!));
  const chosen = new Set(places.slice(0, Math.max(1, lines - 1)));
  return {
    shown: items.filter((_, place) => chosen.has(place)),
    hidden: items.filter((_, place) => !chosen.has(place)),
  };
}

/** Items in motion come first, then waiting ones, then finished ones. */
function interestOf(item: ProgressItem): number {
  if (isDone(item)) return 0;
  return item.bytesPerSecond > 0 ? 2 : 1;
}

const isDone = ({ doneBytes, totalBytes }: ProgressItem): boolean =>
  totalBytes !== undefined && doneBytes >= totalBytes;

function sumUp(items: readonly ProgressItem[], hidden: readonly ProgressItem[]): string {
  const done = items.filter(isDone).length;
  return `${percentText(items, ' of all, ')}${done} of ${items.length} files done, ${hidden.length} not shown`;
}

function barLine(item: ProgressItem, labelCells: number, barCells: number): string {
  const filled = Math.round((totalPercentOf([item]) / 100) * barCells);
  const bar = '█'.repeat(filled) + '░'.repeat(barCells - filled);
  const label = padEnd(clipStart(printable(item.label), labelCells), labelCells);
  const percent = percentText([item]).padStart('100%'.length);
  return `${label} ${bar} ${percent}  ${amountOf(item).padEnd(AMOUNT_CELLS)}  ${tailOf(item)}`.trimEnd();
}

/** 100 % only when all items are complete; empty, also without `after`, when no size is known. */
function percentText(items: readonly ProgressItem[], after = ''): string {
  if (items.every(({ totalBytes }) => totalBytes === undefined)) return '';
  const percent = totalPercentOf(items);
  return `${items.every(isDone) ? 100 : Math.min(99, Math.floor(percent))}%${after}`;
}

const amountOf = ({ doneBytes, totalBytes }: ProgressItem): string =>
  `${formatBytes(doneBytes)} of ${totalBytes === undefined ? '?' : formatBytes(totalBytes)}`;

/** Speed, time and source of an item in motion; only the note of any other. */
function tailOf(item: ProgressItem): string {
  const note = printable(item.note);
  if (item.bytesPerSecond <= 0 || isDone(item)) return note;
  return [`${formatBytes(item.bytesPerSecond)}/s`, ...etaOf(item), note].join('  ');
}

/** In whole seconds: fractions would flicker. */
function etaOf({ doneBytes, totalBytes, bytesPerSecond }: ProgressItem): string[] {
  if (totalBytes === undefined || doneBytes >= totalBytes) return [];
  const seconds = Math.ceil((totalBytes - doneBytes) / bytesPerSecond);
  return [`eta ${seconds * SECOND_MS < MINUTE_MS ? `${seconds} s` : formatDuration(seconds * SECOND_MS)}`];
}
