import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, type ProblemCode } from '#contracts/http/problem';
import { problemDocument } from './error-handler.ts';

const ANSWERS: Readonly<Record<string, { readonly code: ProblemCode; readonly detail: string }>> = {
  HPE_HEADER_OVERFLOW: { code: 'head-too-large', detail: 'the address and the headers together may have 16 KiB' },
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'request-timeout', detail: 'the whole request has to arrive within a minute' },
};

const NOT_HTTP = { code: 'invalid-request', detail: 'this is not an HTTP/1.1 request' } as const;

/** Answers what Node refuses before there is a request, in the form of every other refusal; the connection ends with it. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy(error);
    return;
  }
  const { code, detail } = ANSWERS[error.code ?? ''] ?? NOT_HTTP;
  const problem = problemDocument({ code, detail, instance: '', requestId: randomUUID() });
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.requestId}`,
    'cache-control: no-store',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** An answer of which a part is sent cannot be followed by another; Node keeps it in a field that its types leave out. */
const isAnswering = (socket: Socket & { _httpMessage?: ServerResponse }): boolean =>
  socket._httpMessage?.headersSent === true;
