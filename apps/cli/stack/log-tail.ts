import { open } from 'node:fs/promises';
import { messageOf } from '#core/error-facts';

const TAIL_LINES = 12;
const TAIL_BYTES = 64 * 1024;

/**
 * The last lines that a process wrote to its log, in a form for people.
 *
 * @param fromByte offset of the process's first line; the file also holds lines of earlier runs
 */
export async function logTail(path: string, fromByte: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(fromByte, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(0, size - start)), { position: start });
    const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-TAIL_LINES);
    return lines.map(readableLine).join('\n');
  } finally {
    await file.close();
  }
}

/** A log event becomes its message and its reason; any other line stays as it is. */
export function readableLine(line: string): string {
  const event = parse(line);
  if (typeof event?.['msg'] !== 'string') return `  ${line}`;
  const why = event['err'] === undefined ? event['reason'] : messageOf(event['err']);
  return `  ${event['msg']}${typeof why === 'string' ? `: ${why}` : ''}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // a line of plain text
  }
}
