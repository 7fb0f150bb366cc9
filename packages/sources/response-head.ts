import type { ByteRange } from '#core/byte-range';
import type { ReadRequest, ResponseHead } from '#core/source';
import type { SourceFailureKind } from '#core/failure';

/** The parts of an answer the rules look at. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export type Verdict =
  /** Bytes may be taken; the validator is not judged here. `servesRange` is undefined where the answer does not show it. */
  | { readonly take: ResponseHead; readonly servesRange: boolean | undefined }
  /** An error status: the source's own rules name it. */
  | { readonly status: number }
  | Refusal;

export interface Refusal {
  readonly refuse: SourceFailureKind;
  readonly why: string;
  /** A web page where the file should be. */
  readonly isPage?: boolean;
  /** A part from another place than was asked: another connection may do better, once (HR9). */
  readonly isMisplaced?: boolean;
}

const refuse = (kind: SourceFailureKind, why: string): Refusal => ({ refuse: kind, why });

const PAGE: Verdict = { refuse: 'bad-response', why: 'sent an HTML page', isPage: true };

/**
 * Judges an answer before its first byte, by docs/http-rules.md. Pure.
 *
 * @param fileName last part of the file's path: HTML and JSON are suspicious only where they are not expected
 */
export function judgeHead(answer: AnswerHead, request: ReadRequest, fileName: string): Verdict {
  if (answer.status >= 400 && answer.status !== 416) return { status: answer.status };
  return disguise(answer, request, fileName) ?? judgeStatus(answer, request);
}

function judgeStatus(answer: AnswerHead, request: ReadRequest): Verdict {
  switch (answer.status) {
    case 200:
      return judgeWhole(answer, request);
    case 206:
      return judgePart(answer, request);
    case 416:
      return judgeUnsatisfiable(answer, request);
    case 204:
      return request.sizeBytes === 0 ? emptyFile() : refuse('bad-response', 'answered 204, which has no bytes');
    default:
      return refuse('bad-response', `answered ${answer.status} to a plain request`);
  }
}

/** Something else than the file's own bytes, as far as headers tell (HR24, HR28). */
function disguise(answer: AnswerHead, request: ReadRequest, fileName: string): Verdict | undefined {
  if (answer.status !== 200 && answer.status !== 206) return undefined;
  const encoding = token(answer.headers['content-encoding']);
  if (encoding !== '' && encoding !== 'identity')
    return refuse('bad-response', `sent ${encoding} although identity was asked`);
  const type = token(answer.headers['content-type']);
  if (type === 'text/html' && !/\.x?html?$/i.test(fileName)) return PAGE;
  const isJson = type === 'application/json' && answer.status === 200 && !/json/i.test(fileName);
  if (isJson && (request.sizeBytes === undefined || contentLength(answer) !== request.sizeBytes))
    return refuse('bad-response', 'sent JSON instead of the file');
  return undefined;
}

/** The value without its parameters, in lower case. */
const token = (value: string | undefined): string => (value ?? '').split(';', 1)[0]!.trim().toLowerCase();

/** 200: the whole file, asked for or not (HR7). */
function judgeWhole(answer: AnswerHead, request: ReadRequest): Verdict {
  const { range, sizeBytes } = request;
  const length = contentLength(answer);
  if (Number.isNaN(length)) return refuse('bad-response', 'sent a Content-Length that is not a number');
  if (sizeBytes !== undefined && length !== undefined && length !== sizeBytes) return wrongSize(length, sizeBytes);
  if (range !== undefined && range.start > 0) {
    if (request.continues === undefined) return refuse('range-refused', 'sent the whole file to a range');
    return { take: wholeHead(undefined, length ?? sizeBytes), servesRange: undefined };
  }
  return { take: wholeHead(range, length ?? sizeBytes), servesRange: ignoresRange(answer, range, length) };
}

function wholeHead(range: ByteRange | undefined, totalBytes: number | undefined): ResponseHead {
  const end = totalBytes === undefined ? undefined : Math.min(range?.end ?? totalBytes, totalBytes);
  return { start: 0, end, totalBytes, validator: undefined };
}

/** A range that is the whole file may be answered with 200 by a server that knows ranges; one that is not may not. */
function ignoresRange(answer: AnswerHead, range: ByteRange | undefined, length: number | undefined): false | undefined {
  const isPart = range !== undefined && length !== undefined && range.end < length;
  return isPart || token(answer.headers['accept-ranges']) === 'none' ? false : undefined;
}

/** 206: exactly what Content-Range says, if that is what was asked for (HR8–HR15). */
function judgePart(answer: AnswerHead, request: ReadRequest): Verdict {
  const { range, sizeBytes } = request;
  if (range === undefined) return refuse('bad-response', 'sent a part although no range was asked');
  if (token(answer.headers['content-type']) === 'multipart/byteranges')
    return refuse('bad-response', 'sent multipart/byteranges to a single range');
  const part = parseContentRange(answer.headers['content-range']);
  if (part === undefined) return refuse('range-refused', 'sent a part without a usable Content-Range');
  if (part === 'invalid') return refuse('bad-response', 'sent a Content-Range that contradicts itself');
  const objection = totalObjection(part, sizeBytes) ?? borderObjection(part, range, contentLength(answer));
  if (objection) return objection;
  return {
    take: { start: part.start, end: part.end, totalBytes: part.total ?? sizeBytes, validator: undefined },
    servesRange: true,
  };
}

function totalObjection(part: ContentRange, sizeBytes: number | undefined): Verdict | undefined {
  if (part.total === undefined)
    return sizeBytes === undefined ? refuse('range-refused', 'does not say how long the file is') : undefined;
  return sizeBytes === undefined || part.total === sizeBytes ? undefined : wrongSize(part.total, sizeBytes);
}

function borderObjection(part: ContentRange, range: ByteRange, length: number | undefined): Verdict | undefined {
  if (part.start !== range.start)
    return { ...refuse('range-refused', `sent bytes from ${part.start}, not ${range.start}`), isMisplaced: true };
  if (part.end > range.end) return refuse('bad-response', `sent bytes to ${part.end}, beyond ${range.end}`);
  if (length !== undefined && length !== part.end - part.start)
    return refuse('bad-response', 'sent a Content-Length that contradicts its Content-Range');
  return undefined;
}

/** 416: only an empty file makes it an answer (HR16–HR18). */
function judgeUnsatisfiable(answer: AnswerHead, request: ReadRequest): Verdict {
  const { range, sizeBytes } = request;
  const total = /^bytes \*\/(\d+)$/.exec(answer.headers['content-range'] ?? '')?.[1];
  const totalBytes = total === undefined ? undefined : Number(total);
  if (sizeBytes !== undefined && totalBytes !== undefined && totalBytes !== sizeBytes)
    return wrongSize(totalBytes, sizeBytes);
  if ((range?.start ?? 0) === 0 && (totalBytes ?? sizeBytes) === 0) return emptyFile();
  return refuse('range-refused', 'answered 416 to a range inside the file');
}

const emptyFile = (): Verdict => ({
  take: { start: 0, end: 0, totalBytes: 0, validator: undefined },
  servesRange: undefined,
});

const wrongSize = (theirs: number, ours: number): Verdict =>
  refuse('size-mismatch', `has ${theirs} bytes, expected ${ours} bytes`);

export interface ContentRange {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  readonly total: number | undefined;
}

/** @returns undefined when it cannot be read, 'invalid' when it contradicts itself (RFC 9110 section 14.4) */
export function parseContentRange(value: string | undefined): ContentRange | 'invalid' | undefined {
  const match = /^bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(value?.trim() ?? '');
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  if (last < first || (total !== undefined && total <= last)) return 'invalid';
  if (last >= Number.MAX_SAFE_INTEGER || (total ?? 0) > Number.MAX_SAFE_INTEGER) return 'invalid';
  return { start: first, end: last + 1, total };
}

/** @returns undefined without the header, NaN when it is not an exact whole number */
function contentLength(answer: AnswerHead): number | undefined {
  const text = answer.headers['content-length'];
  if (text === undefined) return undefined;
  const length = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(length) ? length : Number.NaN;
}
