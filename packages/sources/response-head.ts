import type { ByteRange } from '#core/bytes/byte-range';
import type { Disguise } from '#core/bytes/first-bytes';
import type { ReadRequest, ResponseHead } from '#core/source';
import type { SourceFailureKind } from '#core/failure';

/** The parts of an answer that the rules judge. */
export interface ResponseFacts {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export type Verdict =
  /** Bytes may be taken; the validator is not judged here. `servesRange` is undefined if the answer does not show it. */
  | { readonly take: ResponseHead; readonly servesRange: boolean | undefined; readonly doubt?: Doubt | undefined }
  /** An error status: the rules of the source make its error. */
  | { readonly status: number }
  | Refusal;

/** The answer may not be the file. Headers are only a hint: a matching length or digest decides. */
export interface Doubt {
  readonly saysItIs: Disguise | undefined;
}

export interface Refusal {
  readonly refuse: SourceFailureKind;
  readonly why: string;
  /** A web page where the file should be. */
  readonly isPage?: boolean;
  /** A part that begins elsewhere than requested: the request is repeated once, over another connection. */
  readonly isMisplaced?: boolean;
}

const refuse = (kind: SourceFailureKind, why: string): Refusal => ({ refuse: kind, why });

/**
 * Judges an answer before its first byte, by docs/rules/http.md. Pure.
 *
 * @param fileName last part of the file's path: HTML and JSON are suspicious only where they are not expected
 */
export function judgeHead(answer: ResponseFacts, request: ReadRequest, fileName: string): Verdict {
  if (answer.status >= 400 && answer.status !== 416) return { status: answer.status };
  return judgeStatus(answer, request, fileName);
}

function judgeStatus(answer: ResponseFacts, request: ReadRequest, fileName: string): Verdict {
  switch (answer.status) {
    // A proxy that changes contents says 203; whether it changed these bytes is for their length or digest to say.
    case 200:
    case 203:
      return judgeWhole(answer, request, fileName);
    case 206:
      return judgePart(answer, request);
    case 416:
      return judgeUnsatisfiable(answer, request);
    case 204:
      return request.sizeBytes === 0
        ? emptyFile()
        : refuse('bad-response', 'answered 204, which has no bytes: an empty file only where size 0 is expected');
    default:
      return refuse('bad-response', `answered ${answer.status} to a plain request`);
  }
}

/** A header value without its parameters, in lower case. */
const token = (value: string | undefined): string => (value ?? '').split(';', 1)[0]!.trim().toLowerCase();

/** The disguise that the Content-Type names, unless the name of the file fits that type. */
function typeOf(answer: ResponseFacts, fileName: string): Disguise | undefined {
  const type = token(answer.headers['content-type']);
  const isHtml = type === 'text/html' || type === 'application/xhtml+xml';
  if (isHtml) return /\.x?html?$/i.test(fileName) ? undefined : 'an HTML page';
  return type === 'application/json' && !/json/i.test(fileName) ? 'JSON' : undefined;
}

/**
 * The content coding that a server names although none was requested. Often it is a label of stored bytes (`x-gzip` of a .tar.gz,
 * `aws-chunked`, `binary`), so bytes are never decoded.
 */
function encodingOf(answer: ResponseFacts): string | undefined {
  const words = (answer.headers['content-encoding'] ?? '').split(',').map((word) => word.trim().toLowerCase());
  const named = words.filter((word) => word !== '' && word !== 'identity' && word !== 'none');
  return named.length === 0
    ? undefined
    : named
        .join(', ')
        .slice(0, MOST_SHOWN)
        .replace(/[^\x20-\x7e]/g, '?');
}

const MOST_SHOWN = 60;

/** 200: the whole file, also if a range was requested. */
function judgeWhole(answer: ResponseFacts, request: ReadRequest, fileName: string): Verdict {
  const { range, sizeBytes } = request;
  const length = contentLength(answer);
  const saysItIs = typeOf(answer, fileName);
  if (Number.isNaN(length)) return refuse('bad-response', 'sent a Content-Length that is not a number');
  if (sizeBytes !== undefined && length !== undefined && length !== sizeBytes)
    return wrongLength(answer, saysItIs, length, sizeBytes);
  const encoding = encodingOf(answer);
  const doubt = sizeBytes !== undefined && length === sizeBytes ? undefined : { saysItIs };
  if (range !== undefined && range.start > 0) {
    if (request.continues === undefined) return refuse('range-refused', 'sent the whole file to a range');
    return { take: { ...wholeHead(undefined, length ?? sizeBytes), encoding }, servesRange: undefined, doubt };
  }
  const take = { ...wholeHead(range, length ?? sizeBytes), encoding };
  return { take, servesRange: wholeShowsRanges(answer, range, length), doubt };
}

/** A whole file of another length; its labels show what was sent instead. */
function wrongLength(
  answer: ResponseFacts,
  saysItIs: Disguise | undefined,
  length: number,
  sizeBytes: number,
): Refusal {
  const lengths = `${length} bytes, expected ${sizeBytes} bytes`;
  const encoding = encodingOf(answer);
  if (encoding !== undefined)
    return refuse('bad-response', `sent it as ${encoding} although identity was asked: ${lengths}`);
  if (saysItIs === undefined) return wrongSize(length, sizeBytes);
  return { ...refuse('bad-response', `sent ${saysItIs} instead of the file: ${lengths}`), isPage: isPage(saysItIs) };
}

export const isPage = (disguise: Disguise | undefined): boolean => disguise === 'an HTML page';

function wholeHead(range: ByteRange | undefined, totalBytes: number | undefined): ResponseHead {
  const end = totalBytes === undefined ? undefined : Math.min(range?.end ?? totalBytes, totalBytes);
  return { start: 0, end, totalBytes, validator: undefined };
}

/**
 * A server that serves ranges may answer 200 to a range of the whole file, but not to a shorter one. `Accept-Ranges: bytes`
 * promises ranges before any was asked (RFC 9110, 14.3); a refused range takes the promise back.
 */
function wholeShowsRanges(
  answer: ResponseFacts,
  range: ByteRange | undefined,
  length: number | undefined,
): boolean | undefined {
  const isPart = range !== undefined && length !== undefined && range.end < length;
  const promised = token(answer.headers['accept-ranges']);
  if (isPart || promised === 'none') return false;
  return promised === 'bytes' ? true : undefined;
}

/**
 * 206: exactly the bytes that Content-Range names, if they were requested. A server whose parts are wrong may still send the whole file
 * rightly. A part of a request without a range is taken where it begins the file.
 */
function judgePart(answer: ResponseFacts, request: ReadRequest): Verdict {
  const { sizeBytes } = request;
  const part = parseContentRange(answer.headers['content-range']);
  if (request.range === undefined && (typeof part !== 'object' || part.start > 0))
    return refuse('bad-response', 'sent a part although no range was asked');
  const range = request.range ?? { start: 0, end: Infinity };
  if (part === undefined && token(answer.headers['content-type']) === 'multipart/byteranges')
    return refuse('range-refused', 'sent multipart/byteranges to a single range');
  if (part === undefined) return refuse('range-refused', 'sent a part without a usable Content-Range');
  if (part === 'invalid') return refuse('range-refused', 'sent a Content-Range that contradicts itself');
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
  if (part.end > range.end) return refuse('range-refused', `sent bytes to ${part.end}, beyond ${range.end}`);
  if (length !== undefined && length !== part.end - part.start)
    return refuse('range-refused', 'sent a Content-Length that contradicts its Content-Range');
  return undefined;
}

/** 416 is a valid answer only for an empty file. */
function judgeUnsatisfiable(answer: ResponseFacts, request: ReadRequest): Verdict {
  const { range, sizeBytes } = request;
  const totalBytes = unsatisfiedTotal(answer.headers['content-range']);
  if (sizeBytes !== undefined && totalBytes !== undefined && totalBytes !== sizeBytes)
    return wrongSize(totalBytes, sizeBytes);
  if ((range?.start ?? 0) === 0 && (totalBytes ?? sizeBytes) === 0) return emptyFile();
  return refuse('range-refused', 'answered 416 to a range inside the file');
}

/** Length of the file by the Content-Range of a 416. */
function unsatisfiedTotal(value: string | undefined): number | undefined {
  const total = /^(?:bytes)?[\s:=]*\*\s*\/\s*(\d{1,16})$/i.exec(value?.trim() ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

const emptyFile = (): Verdict => ({
  take: { start: 0, end: 0, totalBytes: 0, validator: undefined },
  servesRange: undefined,
});

const wrongSize = (theirs: number, ours: number): Refusal =>
  refuse('size-mismatch', `has ${theirs} bytes, expected ${ours} bytes`);

export interface ContentRange {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  readonly total: number | undefined;
}

const CONTENT_RANGE = /^(?:bytes\s*[\s:=]\s*)?(\d{1,16})\s*-\s*(\d{1,16})\s*\/\s*(\d{1,16}|\*)$/i;

/**
 * Parses `bytes 0-9/10`, and the variants that real servers send: `bytes=0-9/10`, `bytes: 0-9/10`, `0-9/10`, spaces.
 *
 * @returns undefined when it cannot be parsed, 'invalid' when it contradicts itself (RFC 9110 section 14.4)
 */
export function parseContentRange(value: string | undefined): ContentRange | 'invalid' | undefined {
  const match = CONTENT_RANGE.exec(value?.trim() ?? '');
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  if (last < first || (total !== undefined && total <= last)) return 'invalid';
  if (last >= Number.MAX_SAFE_INTEGER || (total ?? 0) > Number.MAX_SAFE_INTEGER) return 'invalid';
  return { start: first, end: last + 1, total };
}

/** @returns undefined without the header, NaN when it is not an exact whole number */
function contentLength(answer: ResponseFacts): number | undefined {
  const text = answer.headers['content-length'];
  if (text === undefined) return undefined;
  const length = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(length) ? length : Number.NaN;
}
