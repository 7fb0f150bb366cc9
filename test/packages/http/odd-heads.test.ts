import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { requestBytes } from '#http/small-request';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { startRawServer, type RawAnswer } from '../../helpers/origin/raw-server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const BODY = Buffer.from(someBytes(5000));
const LENGTH = `Content-Length: ${BODY.length}\r\n`;

/** Asks a server that answers so, twice, so that the connection is used again where it may be. */
async function ask(answer: RawAnswer): Promise<readonly Buffer[]> {
  const server = await startRawServer(() => answer);
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
  closers.push(
    () => server.close(),
    () => http.close(),
  );
  const once = async (): Promise<Buffer> =>
    (await requestBytes(http, { url: `${server.url}/f`, source: 'test' }, 1e5, new AbortController().signal)).bytes;
  return [await once(), await once()];
}

const withLength = (lines: string): RawAnswer => ({ pieces: [`${lines}${LENGTH}\r\n`, BODY] });

describe('a response that is odd, yet allowed', () => {
  it.each<[string, RawAnswer]>([
    ['no reason phrase', withLength('HTTP/1.1 200\r\n')],
    ['a reason phrase in UTF-8', withLength('HTTP/1.1 200 Tr\u00e8s bien\r\n')],
    ['HTTP/1.0 with keep-alive, in lower case', withLength('http/1.0 200 ok\r\nconnection: keep-alive\r\n')],
    ['HTTP/1.0 that closes', { ...withLength('HTTP/1.0 200 OK\r\n'), end: true }],
    [
      'an offer to upgrade that nothing has to follow',
      withLength('HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\n'),
    ],
    ['values in UTF-8', withLength('HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="模型.bin"\r\n')],
    ['empty values and values without a space', withLength('HTTP/1.1 200 OK\r\nX-Empty:\r\nServer:x\r\n')],
    ['20 KB of cookies', withLength(`HTTP/1.1 200 OK\r\n${`Set-Cookie: a=${'c'.repeat(2000)}\r\n`.repeat(10)}`)],
    ['Accept-Ranges with two words', withLength('HTTP/1.1 200 OK\r\nAccept-Ranges: bytes, none\r\n')],
    [
      'chunks with extensions and trailers',
      {
        pieces: [
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n',
          `0${(1000).toString(16).toUpperCase()};name="a;b";other\r\n`,
          BODY.subarray(0, 1000),
          `\r\n${(4000).toString(16)};x=1\r\n`,
          BODY.subarray(1000),
          '\r\n000\r\nX-Sum: 1\r\n\r\n',
        ],
      },
    ],
    ['a body until close', { pieces: ['HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n', BODY], end: true }],
  ])('gives its bytes with %s', async (_what, answer) => {
    for (const bytes of await ask(answer)) expect(bytes.equals(BODY)).toBe(true);
  });
});
