import { eastAsianWidth } from 'get-east-asian-width';
import { replaceUnshowable } from '#core/text/unshowable';

const NO_CELL = /\p{Mn}|\p{Me}|[\u200b-\u200d]/u;

/** One line that a terminal shows and does not obey: names and messages come from strangers. */
export const printable = (text: string): string =>
  replaceUnshowable(text.replace(/\s*[\r\n]+\s*/g, ' ').trim(), '\ufffd');

const cellsOfOne = (character: string): number =>
  NO_CELL.test(character) ? 0 : eastAsianWidth(character.codePointAt(0)!);

/** How many cells of a terminal a text takes. */
export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text) cells += cellsOfOne(character);
  return cells;
}

export const padEnd = (text: string, cells: number): string => text + ' '.repeat(Math.max(0, cells - cellsOf(text)));

/** Keeps the start. */
export const clipEnd = (text: string, cells: number): string =>
  cellsOf(text) <= cells ? text : `${fitting([...text], cells - 1).join('')}…`;

/** Keeps the end: of a path it says more than the start. */
export const clipStart = (text: string, cells: number): string =>
  cellsOf(text) <= cells
    ? text
    : `…${fitting([...text].reverse(), cells - 1)
        .reverse()
        .join('')}`;

function fitting(characters: readonly string[], cells: number): string[] {
  let left = cells;
  const end = characters.findIndex((character) => (left -= cellsOfOne(character)) < 0);
  return characters.slice(0, end === -1 ? characters.length : end);
}
