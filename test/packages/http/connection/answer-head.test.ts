import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { AnswerHead } from '#http/connection/answer-head';

/** What the parser sees of a response that arrives in these pieces. */
function seen(...pieces: readonly (string | Uint8Array)[]): string {
  const head = new AnswerHead();
  head.expect();
  const out = pieces.map((piece) => head.take(Buffer.from(piece as string, 'latin1')));
  return Buffer.concat(out).toString('latin1');
}

const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: "v1"\r\n\r\nthe bytes';
const INTERIM = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.0 100\r\n\r\n',
  'HTTP/1.1 102 Processing\r\nX-Note: one\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n',
  'HTTP/1.1 199 Whatever\n\n',
];

describe('the head of a response', () => {
  it('is passed on as it is, with the first bytes of the body', () => {
    expect(seen(FINAL)).toBe(FINAL);
  });

  it.each(INTERIM.map((text) => [JSON.stringify(text), text]))(
    'A35 comes after %s, which is dropped',
    (_name, text) => {
      expect(seen(text + FINAL)).toBe(FINAL);
      expect(seen(text, text, FINAL)).toBe(FINAL);
    },
  );

  it('A35 is the same however the interim responses, the head and the body are cut into pieces', () => {
    const whole = [...INTERIM, ...INTERIM, FINAL].join('');
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(whole.length), { maxLength: 40 }), (cuts) => {
        const borders = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const pieces = borders.slice(1).map((end, at) => whole.slice(borders[at], end));
        expect(seen(...pieces)).toBe(FINAL);
      }),
    );
  });

  it('A35 leaves bytes of the body alone that look like an interim response', () => {
    const body = `${FINAL.slice(0, -9)}${INTERIM[0]}`;
    expect(seen(body)).toBe(body);
    expect(seen(FINAL, INTERIM[0]!)).toBe(FINAL + INTERIM[0]!);
  });

  it('A36 refuses 101, because no request asks for an upgrade', () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n';
    expect(() => seen(upgrade)).toThrow('answered 101 Switching Protocols, which was not asked for');
    expect(() => seen(INTERIM[0]!, upgrade)).toThrow('101');
  });

  it.each([
    ['lines that end with LF alone', 'HTTP/1.1 200 OK\nContent-Length: 9\nETag: "v1"\n\nthe bytes'],
    ['some lines that end with LF alone', 'HTTP/1.1 200 OK\r\nContent-Length: 9\nETag: "v1"\r\n\nthe bytes'],
    ['Content-Length twice with one value', FINAL.replace('ETag', 'content-length: 9\r\nETag')],
    ['Content-Length as a list of one value', FINAL.replace(': 9', ': 9, 9')],
    ['spaces around the length', FINAL.replace(': 9', ':  \t9  ')],
    ['the protocol in lower case', FINAL.replace('HTTP', 'http')],
    ['empty lines before it', `\r\n\n${FINAL}`],
  ])('A37 is repaired where it has %s', (_what, text) => {
    expect(seen(text)).toBe(FINAL);
  });

  it('A37 is repaired where a line is folded', () => {
    expect(seen(FINAL.replace('ETag:', 'X-Long: one\r\n  two\r\n\tthree\r\nETag:'))).toBe(
      FINAL.replace('ETag:', 'X-Long: one two three\r\nETag:'),
    );
  });

  it.each([
    ['contradict each other: Content-Length "9" and "10"', FINAL.replace('ETag', 'Content-Length: 10\r\nETag')],
    ['contradict each other: Content-Length "9" and "8"', FINAL.replace(': 9', ': 9, 8')],
    [
      'contradict each other: Content-Length and Transfer-Encoding',
      FINAL.replace('ETag', 'Transfer-Encoding: chunked\r\nETag'),
    ],
    ['Content-Length "+9", which is not a whole number', FINAL.replace(': 9', ': +9')],
    ['Content-Length "-1", which is not a whole number', FINAL.replace(': 9', ': -1')],
    ['Content-Length "", which is not a whole number', FINAL.replace(': 9', ':')],
    ['it speaks only HTTP/2', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64'],
    ['it speaks TLS at this port', '\x15\x03\x01\0\x02\x02\x46'],
  ])('A38 is refused with the real reason: %s', (reason, text) => {
    expect(() => seen(text)).toThrow(
      expect.objectContaining({ kind: 'bad-response', message: expect.stringContaining(reason) }),
    );
  });

  it('leaves what is no HTTP at all, and an endless head, to the parser', () => {
    expect(seen('SSH-2.0-OpenSSH_9.6\r\n')).toBe('SSH-2.0-OpenSSH_9.6\r\n');
    const endless = `HTTP/1.1 200 OK\r\nX-Padding: ${'p'.repeat(70_000)}`;
    expect(seen(endless)).toBe(endless);
  });

  it('gives the parser what it held back when the connection ends', () => {
    const head = new AnswerHead();
    head.expect();
    expect(head.take(Buffer.from('HTTP/1.1 200 O'))).toHaveLength(0);
    expect(head.leftOver().toString()).toBe('HTTP/1.1 200 O');
  });
});
