import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { logTail, readableLine } from '../../../../apps/cli/stack/log-tail.ts';
import { choosePort, isFree } from '../../../../apps/cli/stack/port.ts';
import { stackConfig } from '../../../../apps/cli/stack/stack-config.ts';
import { makeHome } from '../../../../apps/cli/stack/start-stack.ts';

describe('the configuration of the stack', () => {
  it('starts everything embedded at 127.0.0.1:7420 when nothing is set', () => {
    expect(stackConfig({ HAULIER_HOME: '/data', DATABASE_URL: '', REDIS_URL: '', HAULIER_PORT: '' })).toEqual({
      ...{ home: '/data', bind: '127.0.0.1', port: 7420, databaseUrl: undefined, redisUrl: undefined },
    });
  });

  it.each([
    ['DATABASE_URL', 'mysql://u:hunter2@h/d', 'write postgresql://'],
    ['REDIS_URL', 'localhost:6379', 'write redis://host:6379'],
    ['HAULIER_PORT', '70000', 'write a port from 0'],
  ])('names %s when it is wrong, and what would be right', (name, value, advice) => {
    const read = () => stackConfig({ [name]: value });
    expect(read).toThrow(name);
    expect(read).toThrow(advice);
    expect(read).not.toThrow('hunter2');
  });
});

describe('the port of the stack', () => {
  it('is refused with a sentence when another program listens there', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(choosePort('127.0.0.1', port)).rejects.toThrow(`port ${port} of 127.0.0.1 is in use`);
    expect(await isFree('127.0.0.1', port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await choosePort('127.0.0.1', port)).toBe(port);
  });

  it('is refused with a sentence when the address is not one of this machine', async () => {
    await expect(choosePort('192.0.2.1', 0)).rejects.toThrow('HAULIER_BIND is "192.0.2.1"');
  });

  it('is a free one when 0 is wanted', async () => {
    expect(await choosePort('127.0.0.1', 0)).toBeGreaterThan(0);
  });
});

describe('the folder of the stack', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-home-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is made with all folders above it, and may be there already', async () => {
    await makeHome(join(folder, 'a', 'b'));
    await makeHome(join(folder, 'a', 'b'));
  });

  it.each(['file', 'file/below'])('is refused with a sentence where none can be: %s', async (path) => {
    await writeFile(join(folder, 'file'), '');
    await expect(makeHome(join(folder, path))).rejects.toThrow(/^HAULIER_HOME is .*, which is not writable/);
  });

  it('shows of a log what this run wrote', async () => {
    const path = join(folder, 'api.log');
    const earlier = 'an earlier run\n';
    await writeFile(
      path,
      `${earlier}${JSON.stringify({ level: 50, msg: 'gone', err: { message: 'no disk' } })}\nplain\n`,
    );
    expect(await logTail(path, earlier.length)).toBe('  gone: no disk\n  plain');
  });
});

it.each([
  ['{"level":30,"time":1,"msg":"listening"}', '  listening'],
  ['{"level":30,"msg":"stopping","reason":"SIGTERM"}', '  stopping: SIGTERM'],
  ['haulier-api: bad configuration', '  haulier-api: bad configuration'],
  ['null', '  null'],
])('reads the log line %s as people do', (line, readable) => expect(readableLine(line)).toBe(readable));
