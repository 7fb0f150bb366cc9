import { randomBytes } from 'node:crypto';
import { lengthOf, type ByteRange } from '#core/bytes/byte-range';
import { askedRanges, contentRange, type AskedRanges } from './byte-ranges.ts';
import { mayServeRange } from './entity-tags.ts';
import { answerNothing, answerText, headerOf, isHead, type Exchange, type Headers } from './exchange.ts';
import { sendRange, sumOf, write, type Readable, type SendRangeOptions } from './send-content.ts';

export interface ContentAnswer {
  /** With its quotes. */
  readonly etag: string;
  readonly contentType: string;
  readonly headers: Headers;
}

/**
 * Answers with content: all of it, one range, or several as `multipart/byteranges`. The connection is broken when the content turns out
 * to be wrong or cannot be read.
 *
 * @throws what reading, proof or the client reject with; nothing more can be sent then
 * @see RFC 9110 section 14 and 15.3.7
 */
export async function answerContent(exchange: Exchange, content: Readable, answer: ContentAnswer): Promise<void> {
  const { sizeBytes } = content;
  const common = { ...answer.headers, etag: answer.etag, 'accept-ranges': 'bytes' };
  // Ranges are defined for GET alone.
  const isRanged = !isHead(exchange) && mayServeRange(headerOf(exchange, 'if-range'), answer.etag);
  const wanted = askedRanges(isRanged ? headerOf(exchange, 'range') : undefined, sizeBytes);
  const asked = withoutWrong(exchange, wanted, answer, sizeBytes);
  if (asked === 'continues-wrong') return refuseToContinue(exchange);
  const typed = { ...common, 'content-type': answer.contentType };
  // JavaScript clients of hubs read the length of an empty file from this header, and fail on a 416.
  if (sizeBytes === 0) return answerEmpty(exchange, typed, asked.is !== 'whole');
  if (asked.is === 'unsatisfiable')
    return answerNothing(exchange, 416, {
      ...common,
      'cache-control': 'no-store',
      'content-range': `bytes */${sizeBytes}`,
      'content-length': 0,
    });
  if (asked.is === 'ranges' && asked.ranges.length > 1) return answerSeveral(exchange, content, asked.ranges, answer);
  const range = asked.is === 'ranges' ? asked.ranges[0]! : { start: 0, end: sizeBytes };
  const partial = asked.is === 'ranges' ? { 'content-range': contentRange(range, sizeBytes) } : {};
  exchange.response.writeHead(asked.is === 'ranges' ? 206 : 200, {
    ...typed,
    ...partial,
    'content-length': lengthOf(range),
  });
  if (!isHead(exchange)) await sendAll(exchange, content, range, answer);
  exchange.response.end();
}

/**
 * A client that continues bytes which turned out to be wrong would complete a wrong file. One that sent `If-Range` takes the whole content
 * instead and begins again; others would append it.
 */
function withoutWrong(
  exchange: Exchange,
  asked: AskedRanges,
  answer: ContentAnswer,
  sizeBytes: number,
): AskedRanges | 'continues-wrong' {
  const { etag } = answer;
  const { wrongBytes } = exchange;
  if (isHead(exchange) || asked.is === 'unsatisfiable' || checksDigest(exchange, answer)) return asked;
  const whole = [{ start: 0, end: sizeBytes }];
  if (!wrongBytes.areContinuedBy(etag, asked.is === 'ranges' ? asked.ranges : whole)) return asked;
  return headerOf(exchange, 'if-range') === undefined ? 'continues-wrong' : { is: 'whole' };
}

/** The client asks for the digest of the whole content, and is told it: aria2 does, and takes no file that has another one. */
const checksDigest = (exchange: Exchange, { headers }: ContentAnswer): boolean =>
  'digest' in headers && headerOf(exchange, 'want-digest') !== undefined;

const CONTINUES_WRONG =
  'the bytes before this range that you were sent turned out to be wrong: delete the partial file and download all of it';

/** Not a 416, which programs such as curl take for a file that is complete; and not a 503, which they ask again. */
const refuseToContinue = (exchange: Exchange): void =>
  answerText(exchange, 409, CONTINUES_WRONG, { 'x-error-message': CONTINUES_WRONG });

function answerEmpty(exchange: Exchange, headers: Headers, hasRange: boolean): void {
  const range = hasRange ? { 'content-range': 'bytes */0' } : {};
  answerNothing(exchange, 200, { ...headers, ...range, 'content-length': 0 });
}

/** Headers go out before the first byte is read, so that a client that waits for a cold disk sees them. */
async function sendAll(exchange: Exchange, content: Readable, range: ByteRange, answer: ContentAnswer): Promise<void> {
  const { response } = exchange;
  response.flushHeaders();
  await sendRange(response, content, range, sendOptions(exchange, answer));
}

const sendOptions = (exchange: Exchange, answer: ContentAnswer): SendRangeOptions => ({
  pace: exchange.pace,
  onWrong: (sent) => {
    if (!checksDigest(exchange, answer)) exchange.wrongBytes.note(answer.etag, sent);
  },
});

async function answerSeveral(
  exchange: Exchange,
  content: Readable,
  ranges: readonly ByteRange[],
  answer: ContentAnswer,
): Promise<void> {
  const { etag, contentType, headers } = answer;
  const boundary = `haulier-${randomBytes(12).toString('hex')}`;
  const heads = ranges.map((range, index) =>
    Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\ncontent-type: ${contentType}\r\n` +
        `content-range: ${contentRange(range, content.sizeBytes)}\r\n\r\n`,
    ),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const length = heads.reduce((sum, head) => sum + head.length, tail.length) + sumOf(ranges);
  exchange.response.writeHead(206, {
    ...headers,
    etag,
    'accept-ranges': 'bytes',
    'content-type': `multipart/byteranges; boundary=${boundary}`,
    'content-length': length,
  });
  for (const [index, range] of ranges.entries()) {
    await write(exchange.response, heads[index]!);
    await sendRange(exchange.response, content, range, sendOptions(exchange, answer));
  }
  await write(exchange.response, tail);
  exchange.response.end();
}
