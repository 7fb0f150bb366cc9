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
