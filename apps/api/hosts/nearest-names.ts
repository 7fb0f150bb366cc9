const MOST = 3;

/**
 * Compares without case.
 *
 * @returns at most three names that differ from the wanted one by few typed letters (Levenshtein distance of at most a third of
 *   its length), nearest first
 */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  const most = Math.max(1, Math.floor(wanted.length / 3));
  return names
    .filter((name) => Math.abs(name.length - wanted.length) <= most)
    .map((name) => ({ name, distance: distanceOf(wanted.toLowerCase(), name.toLowerCase(), most) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, MOST)
    .map(({ name }) => name);
}

/** Row by row of the matrix of edits: insert, delete or replace one letter. @returns Infinity for a distance above `most` */
function distanceOf(a: string, b: string, most: number): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const here = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      here.push(Math.min(replaced, above[column]! + 1, here[column - 1]! + 1));
    }
    if (Math.min(...here) > most) return Infinity;
    above = here;
  }
  return above[b.length]!;
}
