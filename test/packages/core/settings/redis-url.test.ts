import { describe, expect, it } from '@jest/globals';
import { parseRedisUrl, type RedisAddress } from '#core/settings/redis-url';

const ADDRESS: RedisAddress = {
  form: 'one',
  nodes: [{ host: 'redis', port: 6379 }],
  tls: false,
  username: undefined,
  password: undefined,
  database: 0,
  master: undefined,
  sentinelUsername: undefined,
  sentinelPassword: undefined,
  family: 0,
};

describe('a REDIS_URL', () => {
  it.each<[string, Partial<RedisAddress>]>([
    ['redis://redis', {}],
    ['redis://redis:6380/', { nodes: [{ host: 'redis', port: 6380 }] }],
    ['rediss://:p%40ss@redis/2', { tls: true, password: 'p@ss', database: 2 }],
    [
      'redis://worker:a:b%2Fc@10.0.0.1',
      { nodes: [{ host: '10.0.0.1', port: 6379 }], username: 'worker', password: 'a:b/c' },
    ],
    ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
    ['REDIS://redis', {}],
    ['redis://redis?family=6', { family: 6 }],
  ])('names one server: %s', (text, differs) => {
    expect(parseRedisUrl(text)).toEqual({ ...ADDRESS, ...differs });
  });

  it('names Sentinels with a master, a database and credentials of both', () => {
    const text = 'redis+sentinel://user:pw@h1:26379,h2/mymaster/3?sentinelPassword=s%26t&sentinelUsername=watch';
    expect(parseRedisUrl(text)).toEqual({
      ...ADDRESS,
      form: 'sentinel',
      nodes: [
        { host: 'h1', port: 26379 },
        { host: 'h2', port: 26379 },
      ],
      username: 'user',
      password: 'pw',
      database: 3,
      master: 'mymaster',
      sentinelUsername: 'watch',
      sentinelPassword: 's&t',
    });
    expect(parseRedisUrl('rediss+sentinel://h1/m')).toMatchObject({ tls: true, master: 'm', database: 0 });
  });

  it('names nodes of a cluster', () => {
    expect(parseRedisUrl('redis+cluster://:pw@h1,[fd00::2]:7001, h3:7002')).toEqual({
      ...ADDRESS,
      form: 'cluster',
      nodes: [
        { host: 'h1', port: 6379 },
        { host: 'fd00::2', port: 7001 },
        { host: 'h3', port: 7002 },
      ],
      password: 'pw',
    });
    expect(parseRedisUrl('rediss+cluster://h1/0')).toMatchObject({ form: 'cluster', tls: true });
  });

  it.each([
    ['localhost:6379', 'write redis://host:6379'],
    ['http://redis', 'redis+cluster://host:6379,host'],
    ['redis://', 'write redis://host:6379'],
    ['redis://redis:99999', 'write redis://host:6379'],
    ['redis://redis/db', 'write redis://host:6379'],
    ['redis://a,b', 'say what several hosts are'],
    ['redis://redis?tls=true', 'after the ? may come family, not tls'],
    ['redis://:100%@redis', 'a % in a name or a password is written %25'],
    ['redis+sentinel://h1,h2', 'the name of the master comes after the Sentinels'],
    [
      'redis+sentinel://h1/m?password=x',
      'after the ? may come family, sentinelUsername, sentinelPassword, not password',
    ],
    ['redis://redis?family=5', 'write family=0 (any), family=4 or family=6'],
    ['redis+cluster://h1,,h2', 'write redis+cluster://'],
    ['redis+cluster://h1/3', 'a cluster has only database 0'],
  ])('K32 is refused with what would be right: %s', (text, right) => {
    expect(() => parseRedisUrl(text)).toThrow(RangeError);
    expect(() => parseRedisUrl(text)).toThrow(right);
  });

  it('K32 never shows its password where it is refused', () => {
    for (const text of ['redis://:hunter2@a,b', 'redis+cluster://:hunter2@h/9', 'redix://:hunter2@h'])
      expect(() => parseRedisUrl(text)).not.toThrow('hunter2');
  });
});
