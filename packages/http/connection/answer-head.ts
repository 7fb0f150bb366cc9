import { HttpFailure } from '../http-error.ts';
import { ONLY_HTTP2 } from '../tls-failure.ts';

/** A head longer than this goes to the parser as it is, which refuses it. */
const MOST_HEAD_BYTES = 32 * 1024;
const STATUS_LINE = /^HTTP\/\d(?:\.\d)? (\d{3})/i;
/** A text that may still become a status line. */
const STATUS_LINE_BEGINS = /^(?:H(?:T(?:T(?:P(?:\/(?:\d(?:\.\d?)?(?: \d{0,2})?)?)?)?)?)?)?$/i;
const EMPTY = Buffer.alloc(0);

/**
 * Prepares the head of each response for undici's parser, which closes the connection at a `100` that was not asked for and at
 * some heads that RFC 9112 lets a client repair.
 *
 * - Interim responses are dropped (RFC 9110 section 15.2); `101` is an error, because no upgrade is ever requested.
 * - Lines that end with LF alone end with CRLF (RFC 9112 section 2.2), folded lines become one (section 5.2), and equal copies of
 *   Content-Length become one (section 6.3).
 */
export class AnswerHead {
  #held: Buffer = EMPTY;
  #isPassed = true;

  /** A request is sent: the next bytes are the head of its response. */
  expect(): void {
    this.#held = EMPTY;
    this.#isPassed = false;
  }

  /**
   * @returns the bytes that the parser may read; empty until the final head is complete
   * @throws HttpFailure `bad-response` for a head that no client may accept
   */
  take(chunk: Buffer): Buffer {
    if (this.#isPassed) return chunk;
    let rest: Buffer = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      rest = withoutLeadingLines(rest);
      const status = statusOf(rest);
      const end = endOfHead(rest);
      if (status === undefined || (end === -1 ? rest.length : end) > MOST_HEAD_BYTES) return this.#pass(rest);
      if (status === 'incomplete' || end === -1) {
        this.#held = rest;
        return EMPTY;
      }
      if (status >= 200 || status < 100) return this.#pass(repaired(rest, end));
      if (status === 101)
        throw new HttpFailure('bad-response', 'answered 101 Switching Protocols, which was not asked for');
      rest = rest.subarray(end);
    }
  }

  /** @returns what is held back, when the connection ends in the middle of a head */
  leftOver(): Buffer {
    return this.#pass(this.#held);
  }

  #pass(bytes: Buffer): Buffer {
    this.#isPassed = true;
    this.#held = EMPTY;
    return bytes;
  }
}

/** Empty lines before a status line are ignored (RFC 9112 section 2.2). */
function withoutLeadingLines(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at += 1;
  return bytes.subarray(at);
}

/** @returns undefined for bytes that are no status line */
function statusOf(bytes: Buffer): number | 'incomplete' | undefined {
  const text = bytes.subarray(0, 16).toString('latin1');
  const status = STATUS_LINE.exec(text)?.[1];
  if (status !== undefined) return Number(status);
  if (STATUS_LINE_BEGINS.test(text)) return 'incomplete';
  if (isHttp2(bytes)) throw new HttpFailure('bad-response', ONLY_HTTP2);
  if (isTlsAlert(bytes))
    throw new HttpFailure('bad-response', 'it speaks TLS at this port: is its address an https:// one?');
  return undefined;
}

/** An HTTP/2 server begins with a SETTINGS frame (RFC 9113 section 3.4): length, type 4, no flags, stream 0. */
const isHttp2 = (bytes: Buffer): boolean =>
  bytes.length >= 9 && bytes[0] === 0 && bytes[3] === 4 && bytes.readUInt8(4) === 0 && bytes.readUInt32BE(5) === 0;

/** A TLS server answers plain HTTP with an alert: content type 21, version 3.x (RFC 8446 section 5.1). */
const isTlsAlert = (bytes: Buffer): boolean => bytes[0] === 21 && bytes[1] === 3;

/** @returns position after the empty line that ends the head; -1 while there is none */
function endOfHead(bytes: Buffer): number {
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

function repaired(bytes: Buffer, end: number): Buffer {
  const text = bytes.toString('latin1', 0, end);
  const lines = text
    .replace(/^http/i, 'HTTP')
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/);
  const head = withOneLength(lines).join('\r\n');
  return head === text ? bytes : Buffer.concat([Buffer.from(head, 'latin1'), bytes.subarray(end)]);
}

const CONTENT_LENGTH = /^content-length:/i;

/** RFC 9112 section 6.3: a response whose lengths contradict each other has no length that can be believed. */
function withOneLength(lines: readonly string[]): readonly string[] {
  const lengths = lines.filter((line) => CONTENT_LENGTH.test(line));
  if (lengths.length === 0) return lines;
  const values = new Set(lengths.flatMap((line) => line.slice(line.indexOf(':') + 1).split(',')).map((v) => v.trim()));
  const [value = '', other] = values;
  if (other !== undefined)
    throw new HttpFailure(
      'bad-response',
      `sent lengths that contradict each other: Content-Length ${shown(value)} and ${shown(other)}`,
    );
  if (!/^\d+$/.test(value))
    throw new HttpFailure('bad-response', `sent Content-Length ${shown(value)}, which is not a whole number`);
  if (lines.some((line) => /^transfer-encoding:/i.test(line)))
    throw new HttpFailure(
      'bad-response',
      'sent lengths that contradict each other: Content-Length and Transfer-Encoding',
    );
  const first = lines.findIndex((line) => CONTENT_LENGTH.test(line));
  return lines.flatMap((line, at) =>
    CONTENT_LENGTH.test(line) ? (at === first ? [`Content-Length: ${value}`] : []) : [line],
  );
}

const shown = (value: string): string => JSON.stringify(value.slice(0, 30).replace(/[^\x20-\x7e]/g, '?'));
