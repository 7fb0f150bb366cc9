import { describe, expect, it } from '@jest/globals';
import { withLogin, withoutLogin } from '#core/text/url-login';

describe('the login of an address', () => {
  it.each([
    ['redis://:p%40ss@redis.example:6379/2', 'redis://redis.example:6379/2'],
    ['rediss://user:pw@[::1]:6380', 'rediss://[::1]:6380'],
    ['redis+sentinel://u:p@h1:26379,h2/mymaster/0', 'redis+sentinel://h1:26379,h2/mymaster/0'],
    ['redis://redis.example', 'redis://redis.example'],
    ['redis://redis.example/?a=b@c', 'redis://redis.example/?a=b@c'],
  ])('N43 is taken out of %s', (address, bare) => {
    expect(withoutLogin(address)).toBe(bare);
  });

  it('N43 takes the place of another, percent-encoded', () => {
    expect(withLogin('redis://:old@h:1/2', '{h}:worker:a', 'p/$&w')).toBe(
      'redis://%7Bh%7D%3Aworker%3Aa:p%2F%24%26w@h:1/2',
    );
  });
});
