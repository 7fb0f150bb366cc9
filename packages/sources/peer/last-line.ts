/**
 * Finds lines in a text that arrives in parts.
 *
 * @param maxChars a longer line ends the search with an error
 * @returns a function that takes the next part, and returns the last line that ended in it; undefined where none did
 * @throws RangeError for a line that is too long
 */
export function lastLines(maxChars: number): (part: Uint8Array) => string | undefined {
  let open = '';
  return (part) => {
    const lines = (open + Buffer.from(part).toString('latin1')).split('\n');
    open = lines.pop()!;
    if (open.length > maxChars) throw new RangeError(`a line is longer than ${maxChars} characters`);
    return lines.at(-1);
  };
}
