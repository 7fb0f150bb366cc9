import { SourceError } from '#core/failure';
import type { Http } from './pool.ts';
import { statusError } from './http-error.ts';
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

/**
 * Reads a JSON answer.
 *
 * @returns the parsed value: whoever uses it checks its shape
 * @throws SourceError by status, or `bad-response` when it is not JSON
 */
export async function requestJson(
  http: Http,
  request: HttpRequest,
  maxBytes: number,
  signal: AbortSignal,
): Promise<{ readonly response: HttpResponse; readonly value: unknown }> {
  const { response, bytes } = await requestBytes(http, request, maxBytes, signal);
  if (response.status !== 200) throw statusError(request.source, response.status, response.headers, http.now());
  try {
    return { response, value: JSON.parse(bytes.toString('utf8')) };
  } catch (error) {
    throw new SourceError('bad-response', request.source, 'the answer is not JSON', { cause: error });
  }
}
