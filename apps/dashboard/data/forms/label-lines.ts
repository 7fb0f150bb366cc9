/**
 * Reads labels as they are typed, one `key=value` a line.
 *
 * @throws RangeError that shows the line and what would be right
 */
export function parseLabelLines(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const line of text
    .split('\n')
    .map((each) => each.trim())
    .filter(Boolean)) {
    const at = line.indexOf('=');
    if (at < 1) throw new RangeError(`"${line}" is no label: write key=value, such as site=eu-1`);
    labels[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return labels;
}

/**
 * Reads a change of labels, one `key=value` a line; a line `-key` takes a label away.
 *
 * @throws RangeError that shows the line and what would be right
 */
export function parseLabelChanges(text: string): Record<string, string | null> {
  const lines = text.split('\n').map((line) => line.trim());
  const removed = lines.filter((line) => line.startsWith('-')).map((line) => [line.slice(1).trim(), null] as const);
  return {
    ...parseLabelLines(lines.filter((line) => !line.startsWith('-')).join('\n')),
    ...Object.fromEntries(removed),
  };
}
