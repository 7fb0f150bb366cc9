import { cellsOf, clipEnd, padEnd, printable } from './cells.ts';

const BETWEEN = '  ';
/** Least width of a column. */
const LEAST_CELLS = 8;

/**
 * Lays rows out in columns for people; numbers in `rightAligned` columns line up at their last digit.
 *
 * @param columns width of the terminal in cells; the widest columns are cut until a line fits, and the last ones left out where that is
 *   not enough. Undefined, for a file or another program: nothing is cut
 * @param whole columns that are never cut, such as ids, which are of no use in part
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
  columns?: number,
  whole: readonly number[] = [],
): string {
  const shown = rows.map((row) => row.map(printable));
  const full = header.map((title, column) =>
    Math.max(cellsOf(title), ...shown.map((row) => cellsOf(row[column] ?? ''))),
  );
  const widths = fitting(full.slice(0, countThatFits(full, columns ?? Infinity, whole)), columns ?? Infinity, whole);
  const line = (cells: readonly string[]): string =>
    cells
      .slice(0, widths.length)
      .map((cell, column) => {
        const text = clipEnd(cell, widths[column]!);
        const isNumber = rightAligned.includes(column);
        return isNumber ? ' '.repeat(widths[column]! - cellsOf(text)) + text : padEnd(text, widths[column]!);
      })
      .join(BETWEEN)
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...shown.map(line)].join('\n');
}

/** How many columns have room, each with its least width; at least two. */
function countThatFits(widths: readonly number[], columns: number, whole: readonly number[]): number {
  const least = widths.map((width, column) => (whole.includes(column) ? width : Math.min(width, LEAST_CELLS)));
  let count = widths.length;
  while (count > 2 && lineOf(least.slice(0, count)) > columns) count -= 1;
  return count;
}

const lineOf = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, BETWEEN.length * (widths.length - 1));

/** Narrows the widest column, one cell at a time, until the line fits or every column that may be cut has its least width. */
function fitting(widths: readonly number[], columns: number, whole: readonly number[]): number[] {
  const fit = [...widths];
  const cuttable = fit.map((_, column) => column).filter((column) => !whole.includes(column));
  for (let over = lineOf(fit) - columns; over > 0; over -= 1) {
    const widest = Math.max(0, ...cuttable.map((column) => fit[column]!));
    if (widest <= LEAST_CELLS) break;
    fit[cuttable.findLast((column) => fit[column] === widest)!] = widest - 1;
  }
  return fit;
}
