import { describe, expect, it } from '@jest/globals';
import { parseSourceSecrets } from '#core/settings/source-secrets';

const origin = 'https://files.example';

describe('the secrets of a worker', () => {
  it('are read by name', () => {
    const text = JSON.stringify({
      a: { origin: `${origin}/`, authorization: 'Bearer x' },
      b: { origin: 'http://files.example:8080', query: '?token=x&y=1' },
      c: { origin, user: 'me', password: 'pw' },
    });
    expect(parseSourceSecrets(text)).toEqual({
      a: { origin, authorization: 'Bearer x' },
      b: { origin: 'http://files.example:8080', query: 'token=x&y=1' },
      c: { origin, authorization: 'Basic bWU6cHc=' },
    });
    expect(parseSourceSecrets('{}')).toEqual({});
  });

  it.each([
    ['no JSON', 'mirror=hunter2', 'write a JSON object'],
    ['a list', '["hunter2"]', 'write a JSON object'],
    ['a bad name', { 'My Secret': { origin, query: 'hunter2' } }, 'such as "mirror-eu"'],
    ['a text instead of an object', { s: 'hunter2' }, 'the secret "s" is no object'],
    ['no origin', { s: { authorization: 'hunter2' } }, 'needs "origin"'],
    ['a path behind the origin', { s: { origin: `${origin}/a`, query: 'hunter2' } }, 'needs "origin"'],
    ['a login in the origin', { s: { origin: 'https://u:hunter2@files.example', query: 'x=1' } }, 'needs "origin"'],
    ['nothing to send', { s: { origin } }, 'has nothing to send'],
    ['an unknown field', { s: { origin, token: 'hunter2' } }, 'unknown field "token"'],
    ['a line break', { s: { origin, authorization: 'hunter2\r\nx: y' } }, 'no text of one line'],
  ])('are refused with %s, and no value is shown', (_what, given, why) => {
    const parse = (): unknown => parseSourceSecrets(typeof given === 'string' ? given : JSON.stringify(given));
    expect(parse).toThrow(why);
    expect(parse).not.toThrow('hunter2');
  });
});
