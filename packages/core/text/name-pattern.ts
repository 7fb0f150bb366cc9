/** Matches a name against a pattern in which `*` stands for any characters; compares without case. Linear in the length of both. */
export function matchesPattern(pattern: string, name: string): boolean {
  const [first, ...rest] = pattern.toLowerCase().split('*');
  let left = name.toLowerCase();
  if (!left.startsWith(first!)) return false;
  if (rest.length === 0) return left === first;
  left = left.slice(first!.length);
  const last = rest.pop()!;
  for (const part of rest) {
    const at = left.indexOf(part);
    if (at < 0) return false;
    left = left.slice(at + part.length);
  }
  return left.endsWith(last);
}
