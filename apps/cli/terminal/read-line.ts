import type { CommandContext } from '../context.ts';

/** Asks on stderr and reads one line of standard input, as a terminal in its usual mode gives it. @returns without the line's end */
export async function readLine(question: string, { stdin, stderr }: CommandContext): Promise<string> {
  stderr.write(question);
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n')) break;
  }
  return text.split('\n', 1)[0]!.trim();
}
