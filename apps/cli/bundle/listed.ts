/** Most lines, and most names in a line, of output for people; `--json` has all of them. */
const MOST_LINES = 20;
const MOST_NAMES = 10;

/** @returns the lines, each indented */
export function listed(lines: readonly string[]): string {
  const shown = lines.slice(0, MOST_LINES).map((line) => `  ${line}`);
  if (lines.length > MOST_LINES) shown.push(`  and ${lines.length - MOST_LINES} more; --json lists all`);
  return shown.join('\n');
}

export function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
