import { describe, expect, it } from '@jest/globals';
import { decide, DEFAULT_BUDGETS, mayPass } from '#core/policy';
import { kindOfError, kindOfStatus } from '#http/http-error';
import { proxyFor } from '#http/connection/proxy';
import { redactUrl, redactUserInfo } from '#http/redaction';
import { headersAcross, nextHop } from '#http/redirects';
import { isAllowanceUsedUp, parseRateLimit, parseRetryAfter, waitOf } from '#http/retry-after';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

describe('Retry-After', () => {
  it.each([
    ['A28 HT2 seconds', '120', 120_000],
    ['A29 HT2 an HTTP-date', 'Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
    ['HT2 a date in the past', 'Thu, 01 Jan 2026 11:00:00 GMT', 0],
    ['A30 a day', '86400', 86_400_000],
    ['more than a day', '99999999', 86_400_000],
    ['A31 a negative number', '-5', undefined],
    ['A31 garbage', 'soon', undefined],
    ['A31 a fraction', '1.5', undefined],
    ['nothing', undefined, undefined],
    ['an empty value', '', undefined],
  ])('reads %s', (_what, value, wanted) => {
    expect(parseRetryAfter(value, NOW)).toBe(wanted);
  });

  it('A33 HT3 reads rate limit buckets and waits for the empty one and a second', () => {
    expect(parseRateLimit('"resolvers";r=0;t=55')).toEqual([{ name: 'resolvers', remaining: 0, resetMs: 55_000 }]);
    expect(waitOf({ ratelimit: '"api";r=3;t=10, "resolvers";r=0;t=55', 'retry-after': '1' }, NOW)).toEqual({
      ms: 56_000,
      bucket: 'resolvers',
    });
    expect(waitOf({ ratelimit: '"api";r=3;t=10', 'retry-after': '1' }, NOW)).toEqual({ ms: 1000, bucket: undefined });
    expect(parseRateLimit('nonsense, "x";r=-1;t=2')).toEqual([]);
  });

  it.each([
    [{ ratelimit: '"default";r=0;t=55' }, true],
    [{ ratelimit: 'limit=5, remaining=0, reset=50' }, true],
    [{ 'ratelimit-remaining': '0' }, true],
    [{ 'x-ratelimit-remaining': ' 0' }, true],
    [{ ratelimit: 'limit=50, remaining=05, reset=50' }, false],
    [{ ratelimit: '"default";r=3;t=55', 'x-ratelimit-remaining': '10' }, false],
    [{ 'retry-after': '5' }, false],
  ])('HT12 reads from %j whether an allowance of requests is used up: %s', (headers, expected) => {
    expect(isAllowanceUsedUp(headers)).toBe(expected);
  });

  it('A30 believes no header for longer than ten minutes', () => {
    expect(waitOf({ 'retry-after': '86400' }, NOW)?.ms).toBe(600_000);
    expect(waitOf({ ratelimit: '"api";r=0;t=86400' }, NOW)?.ms).toBe(600_000);
  });
});

/** A header as it is received: each byte is a character. */
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

describe('a redirect', () => {
  const from = (...urls: string[]): URL[] => urls.map((url) => new URL(url));
  it.each([
    ['D01 HA5 relative with query', 'https://h/a/b', '/api/x?etag=%22e%22', 'https://h/api/x?etag=%22e%22'],
    ['relative to the folder', 'https://h/a/b', 'c?d=1', 'https://h/a/c?d=1'],
    ['to another host', 'http://h/a', 'https://cdn/x?sig=1#part', 'https://cdn/x?sig=1'],
    ['with user info, which is dropped', 'http://h/a', 'https://u:p@cdn/x', 'https://cdn/x'],
    ['D16 in raw UTF-8', 'http://h/a', latin1('/dîr/模型.onnx'), 'http://h/d%C3%AEr/%E6%A8%A1%E5%9E%8B.onnx'],
    ['D16 in raw UTF-8, in the query', 'http://h/a', latin1('/f?n=é'), 'http://h/f?n=%C3%A9'],
    [
      'D16 in raw UTF-8, in the host',
      'http://h/a',
      latin1('http://bücher.example/f'),
      'http://xn--bcher-kva.example/f',
    ],
    ['D16 in another character set, as its bytes', 'http://h/a', '/caf\xe9', 'http://h/caf%E9'],
    ['D16 encoded already', 'http://h/a', '/d%C3%AEr', 'http://h/d%C3%AEr'],
    ['with spaces around and in it', 'http://h/a', ' /a b/c ', 'http://h/a%20b/c'],
    ['without a scheme', 'https://h/a', '//cdn.example/x', 'https://cdn.example/x'],
    ['that is only a query', 'https://h/a/b?c=1', '?d=2', 'https://h/a/b?d=2'],
    ['up the folders', 'https://h/a/b/c', '../../x', 'https://h/x'],
  ])('follows a location %s', (_what, url, location, wanted) => {
    expect(nextHop(from(url), location)).toMatchObject({ url: expect.objectContaining({ href: wanted }) });
  });

  it.each([
    ['D15 without Location', 'https://h/a', undefined, 'without Location'],
    ['D04 HA6 from https to http', 'https://h/a', 'http://h/a', 'https to http'],
    ['D06 HA6 to a file', 'http://h/a', 'file:///etc/passwd', 'file:'],
    ['D06 HA6 to ftp', 'http://h/a', 'ftp://h/a', 'ftp:'],
    ['D02 HA6 to itself', 'http://h/a', '/a', 'loop'],
    ['to nonsense', 'http://h/a', 'http://[', 'not a URL'],
  ])('refuses a location %s', (_what, url, location, why) => {
    expect(nextHop(from(url), location)).toMatchObject({ refusal: expect.stringContaining(why) });
  });

  it('D04 HA6 follows https to http only where that is allowed', () => {
    const [start, plain] = from('https://h/a', 'http://h/a') as [URL, URL];
    expect(nextHop([start], plain.href)).toMatchObject({ refusal: expect.stringContaining('--allow-downgrade') });
    expect(nextHop([start], plain.href, { allowDowngrade: true })).toEqual({ url: plain });
    expect(nextHop([start], 'ftp://h/a', { allowDowngrade: true })).toHaveProperty('refusal');
  });

  it('D17 says of a redirect to itself that sets a cookie what the server wants', () => {
    const refusal = expect.stringContaining('sets a cookie: the server wants a client that keeps cookies');
    expect(nextHop(from('https://h/a'), '/a', { setsCookie: true })).toEqual({ refusal });
    expect(nextHop(from('https://h/a', 'https://h/b'), '/a', { setsCookie: true })).toEqual({ refusal });
    expect(nextHop(from('https://h/a'), '/b', { setsCookie: true })).toHaveProperty('url');
  });

  it('D03 HA6 refuses the eleventh hop', () => {
    const visited = Array.from({ length: 10 }, (_, n) => new URL(`http://h/${n}`));
    expect(nextHop(visited, '/10')).toHaveProperty('url');
    expect(nextHop([...visited, new URL('http://h/10')], '/11')).toMatchObject({ refusal: 'more than 10 redirects' });
  });

  it('D10 HA4 takes credentials away when the origin changes', () => {
    const headers = { authorization: 'Bearer t', cookie: 'c', range: 'bytes=0-1' };
    const [a, other, port] = from('https://h/a', 'https://cdn/a', 'https://h:8443/a') as [URL, URL, URL];
    expect(headersAcross(a, new URL('https://h/b'), headers)).toEqual(headers);
    expect(headersAcross(a, other, headers)).toEqual({ range: 'bytes=0-1' });
    expect(headersAcross(a, port, headers)).toEqual({ range: 'bytes=0-1' });
  });

  it('HR6 keeps a validator to the origin that gave it', () => {
    const headers = { 'if-range': '"v1"', range: 'bytes=5-9' };
    expect(headersAcross(new URL('https://h/a'), new URL('https://h/b'), headers)).toEqual(headers);
    expect(headersAcross(new URL('https://h/a'), new URL('https://cdn/a'), headers)).toEqual({ range: 'bytes=5-9' });
  });
});

describe('redaction', () => {
  it('HA9 hides user info and every query value that might be a secret', () => {
    const url =
      'https://u:p@cdn.example/f?X-Amz-Signature=abc&Policy=xyz&Signature=q&X-Amz-Expires=3600&format=raw&t=secret#f';
    expect(redactUrl(url)).toBe(
      'https://cdn.example/f?X-Amz-Signature=redacted&Policy=redacted&Signature=redacted&X-Amz-Expires=3600&format=raw&t=redacted',
    );
    expect(redactUrl('nonsense?token=x')).toBe('(not a URL)');
  });

  it.each([
    ['https://u:p@h:99999/f', 'https://redacted@h:99999/f'],
    ['http://u:p@ss@h/f@1', 'http://redacted@h/f@1'],
    ['https://h/a@b', 'https://h/a@b'],
    ['bafy…/a@b', 'bafy…/a@b'],
  ])('HA9 shows of the text %s no user info', (text, shown) => {
    expect(redactUserInfo(text)).toBe(shown);
  });
});

describe('the choice of a proxy', () => {
  const settings = { http: 'http://p:1', https: 'p:2', noProxy: 'localhost, .corp.example,10.0.0.0/8,special:444' };
  it.each([
    [true, 'hub.example', 443, 'http://p:2/'],
    [false, 'hub.example', 80, 'http://p:1/'],
    [true, 'localhost', 443, undefined],
    [true, 'a.corp.example', 443, undefined],
    [true, 'corp.example', 443, undefined],
    [true, 'notcorp.example', 443, 'http://p:2/'],
    [false, '10.1.2.3', 80, undefined],
    [true, 'special', 444, undefined],
    [true, 'special', 443, 'http://p:2/'],
  ])('secure %s to %s:%i goes through %s', (secure, host, port, wanted) => {
    expect(proxyFor({ secure, host, port }, settings)?.href).toBe(wanted);
  });

  it('NO_PROXY=* goes straight everywhere', () => {
    expect(proxyFor({ secure: true, host: 'h', port: 443 }, { https: 'p:2', noProxy: '*' })).toBeUndefined();
  });
});

describe('an error of the transport', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });
  it.each([
    ['ECONNRESET', 'connecting', 'unreachable'],
    ['ECONNRESET', 'body', 'interrupted'],
    ['ETIMEDOUT', 'connecting', 'unreachable'],
    ['ETIMEDOUT', 'body', 'timed-out'],
    ['EAI_AGAIN', 'connecting', 'unreachable'],
    ['ECONNREFUSED', 'connecting', 'unreachable'],
    ['EPIPE', 'connecting', 'unreachable'],
    ['EPIPE', 'body', 'interrupted'],
    ['UND_ERR_SOCKET', 'connecting', 'unreachable'],
    ['UND_ERR_SOCKET', 'body', 'interrupted'],
  ] as const)('HT1 RE7 %s while %s is %s, which is asked again', (code, phase, kind) => {
    expect(kindOfError(coded(code), phase)).toBe(kind);
    const history = { failuresInARow: 1, corruptionSwitches: 0, otherSources: 0, hasOtherLayer: false };
    expect(decide({ kind }, history, DEFAULT_BUDGETS.ipfs, 0)).toMatchObject({ do: 'retry-same' });
    expect(mayPass(kind)).toBe(true);
  });
});

describe('a status', () => {
  it.each([
    [408, 'throttled'],
    [429, 'throttled'],
    [500, 'server-error'],
    [502, 'throttled'],
    [503, 'throttled'],
    [504, 'throttled'],
    [522, 'throttled'],
    [524, 'throttled'],
    [507, 'server-error'],
    [404, 'missing'],
    [410, 'missing'],
    [451, 'missing'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [416, 'range-refused'],
    [501, 'range-refused'],
    [204, 'bad-response'],
    [304, 'bad-response'],
    [418, 'bad-response'],
  ])('HT1 %i means %s', (status, kind) => {
    expect(kindOfStatus(status)).toBe(kind);
  });
});
