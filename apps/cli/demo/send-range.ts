import { createReadStream } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { MIB } from '#core/units';

/** A run of bytes of a file on disk: a whole file, or one of its leaves. */
export interface DiskRange {
  readonly diskPath: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Answers with the bytes, or with the range of them that the request names.
 *
 * @param onSend told how many bytes of content will be sent
 */
export async function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  whole: DiskRange,
  onSend: (bytes: number) => void,
): Promise<void> {
  const size = whole.end - whole.start;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const first = range ? Number(range[1]) : 0;
  const last = Math.min(size - 1, range?.[2] ? Number(range[2]) : size - 1);
  if (range && first >= size) return refuse(response.setHeader('content-range', `bytes */${size}`), 416, 'range');
  if (range) response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
  response.setHeader('accept-ranges', 'bytes').setHeader('content-length', last - first + 1);
  response.writeHead(range ? 206 : 200);
  if (request.method === 'HEAD' || size === 0) return void response.end();
  onSend(last - first + 1);
  const bytes = { start: whole.start + first, end: whole.start + last, highWaterMark: MIB };
  await pipeline(createReadStream(whole.diskPath, bytes), response);
}

export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'x-error-code': code }).end(code);
}
