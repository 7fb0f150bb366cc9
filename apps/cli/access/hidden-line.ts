import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';

const ENTER = ['\r', '\n'];
const BACKSPACE = ['\u007f', '\b'];
const END_OF_INPUT = '\u0004';
const INTERRUPT = '\u0003';

/**
 * Reads one line of standard input. On a terminal it asks on stderr and shows nothing of what is typed.
 *
 * @throws CliError with the exit code of SIGINT for Ctrl-C
 */
export async function readHiddenLine(question: string, { stdin, stderr }: CommandContext): Promise<string> {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return firstLineOf(stdin);
  stderr.write(question);
  stdin.setRawMode(true);
  try {
    return await typedLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}

async function firstLineOf(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').trim().split('\n', 1)[0]!.trim();
}

async function typedLine(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  let line = '';
  for await (const chunk of stdin) {
    for (const character of Buffer.from(chunk).toString('utf8')) {
      if (ENTER.includes(character) || character === END_OF_INPUT) return line.trim();
      if (character === INTERRUPT) throw new CliError(EXIT.interrupted, '');
      line = BACKSPACE.includes(character) ? line.slice(0, -1) : line + character;
    }
  }
  return line.trim();
}
