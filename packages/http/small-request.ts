import { SourceError } from '#core/failure';
import type { Http } from './pool.ts';
import type { HttpRequest, HttpResponse } from './request.ts';

export interface SmallResponse {
  readonly response: HttpResponse;
  readonly bytes: Buffer;
}

/**
 * Reads a whole answer into memory, whatever its status.
 *
 * @param maxBytes a longer answer is a `bad-response`, found out before more than that is kept
 * @throws SourceError
 */
export async function requestBytes(
  http: Http,
  request: HttpRequest,
  maxBytes: number,
  signal: AbortSignal,
): Promise<SmallResponse> {
  const chunks: Buffer[] = [];
  let count = 0;
  const tooLong = (): SourceError =>
    new SourceError('bad-response', request.source, `the answer is longer than ${maxBytes} bytes`);
  const response = await http.request(
    request,
    {
      head: ({ headers }) => {
        if (request.method !== 'HEAD' && Number(headers['content-length'] ?? 0) > maxBytes) throw tooLong();
        return true;
      },
      data: (chunk) => {
        count += chunk.byteLength;
        if (count > maxBytes) throw tooLong();
        chunks.push(Buffer.from(chunk));
      },
    },
    signal,
  );
  return { response, bytes: Buffer.concat(chunks) };
}
