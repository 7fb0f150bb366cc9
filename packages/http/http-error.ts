import { codeOf } from '#core/error-facts';
import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { HeaderMap } from './retry-after.ts';
import { isAllowanceUsedUp, waitOf } from './retry-after.ts';
import { tlsSentence } from './tls-failure.ts';

/** A failure below the level where the source's name is known; `toSourceError` adds the name. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly kind: SourceFailureKind;

  constructor(kind: SourceFailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);
const BROKEN_OFF = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INFO',
]);
const TIMED_OUT = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Names what a transport error means.
 *
 * @param phase whether the response had begun: a reset before it means the source cannot be reached
 */
export function kindOfError(error: unknown, phase: 'connecting' | 'body'): SourceFailureKind {
  if (error instanceof HttpFailure || error instanceof SourceError) return error.kind;
  const code = codeOf(error);
  if (isProtocolError(error, code, phase)) return 'bad-response';
  if (TIMED_OUT.has(code)) return phase === 'body' ? 'timed-out' : 'unreachable';
  if (UNREACHABLE.has(code)) return 'unreachable';
  if (BROKEN_OFF.has(code)) return phase === 'body' ? 'interrupted' : 'unreachable';
  return phase === 'body' ? 'interrupted' : 'unreachable';
}

/** A head that contradicts itself breaks the parser before any of it is handed over. */
const isProtocolError = (error: unknown, code: string, phase: 'connecting' | 'body'): boolean =>
  (Object(error) as Error).name === 'HTTPParserError' ||
  code === 'UND_ERR_HEADERS_OVERFLOW' ||
  code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' ||
  (phase === 'connecting' && code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH');

/** Wraps whatever a transport threw as the one class that sources may throw; a SourceError passes unchanged. */
export function toSourceError(error: unknown, source: string, phase: 'connecting' | 'body'): SourceError {
  if (error instanceof SourceError) return error;
  return new SourceError(kindOfError(error, phase), source, messageOf(error), { cause: error });
}

/** Happy eyeballs reports every address it tried; the first says enough. */
function messageOf(error: unknown): string {
  const sentence = tlsSentence(error);
  if (sentence !== undefined) return sentence;
  const { message = '', errors } = Object(error) as { message?: string; errors?: unknown[] };
  if (message === '' && errors?.[0] !== undefined) return messageOf(errors[0]);
  const code = codeOf(error);
  return code === '' || message.includes(code) ? message || String(error) : `${message} (${code})`;
}

/** Statuses that ask to come back later (ipfs.md: *later*); 522 and 524 are a proxy's word for an origin that is slow. */
const LATER = new Set([408, 425, 429, 502, 503, 504, 522, 524, 529]);
const MISSING = new Set([404, 410, 451]);
const FORBIDDEN = new Set([401, 403, 407]);

/** @returns what a status that is not an answer means; 2xx other than 200 and 206 are bad answers. */
export function kindOfStatus(status: number): SourceFailureKind {
  if (LATER.has(status)) return 'throttled';
  if (MISSING.has(status)) return 'missing';
  if (FORBIDDEN.has(status)) return 'forbidden';
  if (status === 416 || status === 501) return 'range-refused';
  return status >= 500 ? 'server-error' : 'bad-response';
}

/**
 * @param nowMs wall clock, for the date form of Retry-After
 * @param detail what the source said besides, already safe to show
 */
export function statusError(
  source: string,
  status: number,
  headers: HeaderMap,
  nowMs: number,
  detail = '',
  kind: SourceFailureKind = kindOfStatus(status),
): SourceError {
  const wait = kind === 'throttled' ? waitOf(headers, nowMs) : undefined;
  const message = `answered ${status}${detail === '' ? '' : `: ${detail}`}`;
  return new SourceError(kind, source, message, {
    httpStatus: status,
    retryAfterMs: wait?.ms,
    bucket: wait?.bucket,
    namesReason: isAllowanceUsedUp(headers),
  });
}
