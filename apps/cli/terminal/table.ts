import { cellsOf, clipEnd, padEnd, printable } from './cells.ts';

const BETWEEN = '  ';
/** Least width of a column. */
const LEAST_CELLS = 8;

/**
 * Lays rows out in columns for people; numbers in `rightAligned` columns line up at their last digit.
 *
 * @param columns width of the terminal in cells; the widest columns are cut until a line fits. Undefined, for a file or another
 *   program: nothing is cut
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
  const widths = fitting(
    header.map((title, column) => Math.max(cellsOf(title), ...shown.map((row) => cellsOf(row[column] ?? '')))),
    columns ?? Infinity,
    whole,
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const text = clipEnd(cell, widths[column]!);
        const isNumber = rightAligned.includes(column);
        return isNumber ? ' '.repeat(widths[column]! - cellsOf(text)) + text : padEnd(text, widths[column]!);
      })
      .join(BETWEEN)
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...shown.map(line)].join('\n');
}

/** Narrows the widest column, one cell at a time, until the line fits or every column that may be cut has its least width. */
function fitting(widths: readonly number[], columns: number, whole: readonly number[]): number[] {
  const fit = [...widths];
  const cuttable = fit.map((_, column) => column).filter((column) => !whole.includes(column));
  const between = BETWEEN.length * (widths.length - 1);
  for (let over = fit.reduce((sum, width) => sum + width, between) - columns; over > 0; over -= 1) {
    const widest = Math.max(0, ...cuttable.map((column) => fit[column]!));
    if (widest <= LEAST_CELLS) break;
    fit[cuttable.findLast((column) => fit[column] === widest)!] = widest - 1;
  }
  return fit;
}
