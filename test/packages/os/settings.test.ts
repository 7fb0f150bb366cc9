import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '#core/settings/settings';
import { anyText, flag, wholeNumber } from '#core/settings/setting-kinds';
import { readSettings, unknownSettings, type Environment } from '#os/settings';

const readFile = (path: string): string => {
  if (path === '/run/token') return 'from the file\n';
  if (path === '/run/empty') return '\n';
  throw new Error(`ENOENT ${path}`);
};

const TABLE = {
  TOKEN: { kind: anyText, isSecret: true },
  PORT: { kind: wholeNumber(0, 65_535), default: '7420' },
  DOCS: { kind: flag, default: 'on' },
  HTTP_PROXY: { kind: anyText, alias: 'http_proxy' },
} as const;

const tokenOf = (env: Environment): unknown => readSettings(TABLE, ['TOKEN'], env, { readFile }).values.TOKEN;

describe('a setting', () => {
  it.each([
    ['the variable', { TOKEN: 'given' }, 'given'],
    ['the variable, where both are given', { TOKEN: 'given', TOKEN_FILE: '/run/token' }, 'given'],
    ['the variable without white space around it', { TOKEN: ' given\r\n' }, 'given'],
    ['the file that its twin names', { TOKEN_FILE: '/run/token' }, 'from the file'],
    ['the file, where the variable is set to nothing', { TOKEN: '', TOKEN_FILE: '/run/token' }, 'from the file'],
    ['the file, where the variable is set to white space', { TOKEN: ' \n', TOKEN_FILE: '/run/token' }, 'from the file'],
    ['left out, where both are set to nothing', { TOKEN: '', TOKEN_FILE: '' }, undefined],
    ['left out, where the file is empty', { TOKEN_FILE: '/run/empty' }, undefined],
  ])('is %s', (_what, env, value) => {
    expect(tokenOf(env)).toBe(value);
  });

  it('has its default where it is left out, and a value of its kind where it is given', () => {
    expect(readSettings(TABLE, ['PORT', 'DOCS', 'TOKEN'], { DOCS: 'no' }).values).toEqual({ PORT: 7420, DOCS: false });
  });

  it('may have a second name, which counts after the first', () => {
    const proxyOf = (env: Environment): unknown => readSettings(TABLE, ['HTTP_PROXY'], env).values.HTTP_PROXY;
    expect(proxyOf({ http_proxy: 'a' })).toBe('a');
    expect(proxyOf({ http_proxy: 'a', HTTP_PROXY: 'b' })).toBe('b');
  });

  it('K32 is named where it is bad or missing, with its value and what would be right, and all of them at once', () => {
    const env = { PORT: '99999', DOCS: 'maybe', TOKEN_FILE: '/none' };
    const { problems, values } = readSettings(TABLE, ['PORT', 'DOCS', 'TOKEN', 'HTTP_PROXY'], env, {
      required: ['PORT', 'HTTP_PROXY'],
      readFile,
    });
    expect(problems).toEqual([
      'PORT is "99999": write a whole number from 0 to 65535',
      'DOCS is "maybe": write on or off (or 1 and 0, true and false, yes and no)',
      'TOKEN_FILE is "/none", which cannot be read: ENOENT /none',
      'HTTP_PROXY is missing: set it, or HTTP_PROXY_FILE',
    ]);
    expect(values).toMatchObject({ PORT: 7420, DOCS: true });
  });
});

const problemWith = (name: keyof typeof SETTINGS, value: string): string =>
  readSettings(SETTINGS, [name], { [name]: value }).problems.join('\n');

describe('a bad value', () => {
  it.each([
    ['HAULIER_URL', '127.0.0.1:7420', 'HAULIER_URL is "127.0.0.1:7420": write an http:// or https:// URL'],
    ['HAULIER_URL', 'https://me:hunter2@api.example', 'write the URL without user name and password'],
    ['HAULIER_PORT', '7420/tcp', 'HAULIER_PORT is "7420/tcp": write a port from 0 (any free one) to 65535'],
    ['HAULIER_PORT', 'tcp://10.96.0.1:7420', 'enableServiceLinks: false'],
    ['HAULIER_BIND', '0.0.0.0:7420', 'without port and brackets'],
    ['HAULIER_BIND', '[::]', 'without port and brackets'],
    ['DATABASE_URL', 'mysql://u:hunter2@h/d', 'write postgresql://user:password@host:5432/database'],
    ['DATABASE_URL', 'postgresql://u:hunter2#@db/haulier', 'percent-encoded'],
    ['REDIS_URL', 'redis:6379', 'write redis://host:6379'],
    ['HAULIER_ADMIN_TOKEN', 'hunter2 with spaces inside', 'write 20 to 200 ASCII characters without spaces'],
    ['HAULIER_ADMIN_TOKEN', 'hunter2', 'write 20 to 200 ASCII characters without spaces'],
    ['HF_TOKEN', 'hunter2 x', 'write it without spaces'],
    ['HAULIER_DOCS', 'ja', 'write on or off'],
    ['HAULIER_CONCURRENCY', '0x10', 'write a whole number from 1 to 64'],
    ['HAULIER_LAYERS', 'ipfs,torrent', 'HAULIER_LAYERS is "ipfs,torrent": "torrent": write cache'],
    ['HAULIER_LAYERS', ',', 'name at least one layer'],
    ['HAULIER_LIMIT_RATE', 'fast', 'write bytes per second, such as 50M'],
    ['HAULIER_LIMIT_RATE', '0', 'leave it out for no limit'],
    ['HAULIER_SOURCE_LIMITS', 'gateway.example', 'such as gateway.example=20M'],
    ['HAULIER_STORE_MAX_BYTES', '10 apples', 'write a size such as 64M'],
    ['HAULIER_STALL_TIMEOUT', 'soon', 'write a duration such as 500ms, 30s, 5m, 2h or 7d'],
    ['HAULIER_STALL_TIMEOUT', '0', 'write a duration above 0'],
    ['HAULIER_SWEEP_EVERY', '30d', 'write a duration from 1ms to 24d'],
    ['HAULIER_HOST', 'GPU 1', 'a host name is 1 to 100 of A-Z a-z 0-9 . _ -'],
    [
      'HTTPS_PROXY',
      'socks5://me:hunter2@proxy:1080',
      'write http://host:port; other kinds of proxies are not supported',
    ],
    ['IPFS_GATEWAYS', 'https://gateway.example, gateway.lan', '"gateway.lan": write an http:// or https:// URL'],
  ] as const)('K32 of %s, %s, says what would be right and shows no secret', (name, value, advice) => {
    expect(problemWith(name, value)).toContain(`${name} is `);
    expect(problemWith(name, value)).toContain(advice);
    expect(problemWith(name, value)).not.toContain('hunter2');
  });

  it.each([
    ['HAULIER_BIND', '::1'],
    ['HAULIER_BIND', 'localhost'],
    ['HAULIER_BIND', 'fe80::1%eth0'],
    ['DATABASE_URL', 'postgresql:///haulier?host=/var/run/postgresql'],
    ['REDIS_URL', 'rediss://:p%40ss@redis.example:6380/2'],
    ['HTTP_PROXY', 'proxy.lan:3128'],
    ['HAULIER_LIMIT_RATE', '50M/s'],
    ['HAULIER_HISTORY', '365d'],
    ['HAULIER_POOL', 'true'],
  ] as const)('is not what %s=%s is', (name, value) => {
    expect(problemWith(name, value)).toBe('');
  });
});

describe('a variable that looks like ours and is not known', () => {
  it('K31 is named with the nearest known one, and without its value', () => {
    const env = {
      HAULIER_PROT: 'hunter2',
      HAULIER_REDIS_URL: 'x',
      HAULIER_HF_TOKN_FILE: 'x',
      HAULIER_NOTHING_OF_OURS: 'x',
    };
    expect(unknownSettings(SETTINGS, env)).toEqual([
      'HAULIER_PROT is no setting and has no effect: did you mean HAULIER_PORT?',
      expect.stringContaining('HAULIER_REDIS_URL is no setting'),
      expect.stringContaining('HAULIER_HF_TOKN_FILE is no setting'),
      'HAULIER_NOTHING_OF_OURS is no setting and has no effect',
    ]);
  });

  it('K31 is not one that is known, or a file of one, or for tests, or set by Kubernetes for a Service', () => {
    const env = {
      ...{ HAULIER_PORT: '1', HAULIER_ADMIN_TOKEN_FILE: '/x', HAULIER_TEST_REDIS_URL: 'x', PATH: 'x', HF_HOME: 'x' },
      ...{ HAULIER_SERVICE_HOST: '10.0.0.1', HAULIER_SERVICE_PORT_HTTP: '80', HAULIER_PORT_7420_TCP_ADDR: '10.0.0.1' },
      ...{ HAULIER_API_PORT: 'tcp://10.0.0.1:80', HAULIER_API_PORT_80_TCP: 'tcp://10.0.0.1:80' },
    };
    expect(unknownSettings(SETTINGS, env)).toEqual([]);
  });
});
