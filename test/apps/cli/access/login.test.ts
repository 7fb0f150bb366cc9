import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createProgram } from '../../../../apps/cli/program.ts';
import { runCommand, type CommandEnd } from '../../../helpers/command.ts';

const TOKEN = 'a-token-of-the-test';

/** Answers `/api/me` to the right token, and remembers what it was asked with. */
function startApi(asked: (string | undefined)[]): Server {
  return createServer((request, response) => {
    asked.push(request.headers.authorization);
    const isRight = request.headers.authorization === `Bearer ${TOKEN}`;
    const me = { name: 'me', last4: 'test', scopes: ['read'], models: [], selector: null, expiresAt: null };
    const problem = {
      type: '/problems/unauthenticated',
      code: 'unauthenticated',
      detail: 'the token is unknown, expired or mistyped',
    };
    response.writeHead(isRight ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isRight ? me : problem));
  }).listen(0, '127.0.0.1');
}

describe('haulier login', () => {
  let home: string;
  let server: Server;
  let asked: (string | undefined)[];
  let url: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-login-'));
    asked = [];
    server = startApi(asked);
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    await rm(home, { recursive: true, force: true });
  });

  const run = (words: readonly string[], stdin?: string, env: Record<string, string> = {}): Promise<CommandEnd> =>
    runCommand(
      async (context) => {
        await createProgram(context).parseAsync(['node', 'haulier', ...words]);
      },
      { env: { HAULIER_HOME: home, ...env }, ...(stdin === undefined ? {} : { stdin }) },
    );

  it('tries the token, keeps it for its owner alone, and later commands use both', async () => {
    const { code, stdout } = await run(['login', `${url}/`], `${TOKEN}\n`);
    expect([code, stdout]).toEqual([0, `${url}: token "me" (…test), may read\n`]);
    const file = join(home, 'login.json');
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ current: url, tokens: { [url]: TOKEN } });
    expect((await run(['whoami'])).stdout).toBe(`${url}: token "me" (…test), may read\n`);
    expect(JSON.parse((await run(['whoami', '--json'])).stdout)).toMatchObject({ url, name: 'me' });
  });

  it('T10 sends the token of a login to its own API and to no other', async () => {
    await run(['login', url], TOKEN);
    const others: (string | undefined)[] = [];
    const other = startApi(others);
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await run(['whoami'], undefined, { HAULIER_URL: `http://127.0.0.1:${port}` });
    other.close();
    expect(others).toEqual([undefined]);
    await run(['whoami'], undefined, { HAULIER_TOKEN: 'of-the-environment' });
    expect(asked.at(-1)).toBe('Bearer of-the-environment');
  });

  it('keeps nothing of a token that is refused, and nothing without a token', async () => {
    const refused = await run(['login', url], 'wrong');
    expect([refused.code, refused.message]).toEqual([3, expect.stringContaining('unknown, expired or mistyped')]);
    const none = await run(['login', url], '');
    expect([none.code, none.message]).toEqual([2, expect.stringContaining('no token was given')]);
    await expect(stat(join(home, 'login.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is forgotten by logout, which tells that the token stays valid', async () => {
    await run(['login', url], TOKEN);
    expect((await run(['logout'])).stdout).toContain('stays valid until it is revoked');
    expect(JSON.parse(await readFile(join(home, 'login.json'), 'utf8'))).toEqual({ tokens: {} });
    expect((await run(['logout', url])).code).toBe(4);
  });

  it('names a login file that cannot be used', async () => {
    await writeFile(join(home, 'login.json'), '[]');
    const { code, message } = await run(['whoami']);
    expect([code, message]).toEqual([2, expect.stringContaining('holds no logins: remove it')]);
  });

  it('refuses a URL with a login in it', async () => {
    const { code, message } = await run(['login', 'http://u:p@h.example'], TOKEN);
    expect([code, message]).toEqual([2, expect.stringContaining('without user name and password')]);
    expect(message).not.toContain('u:p');
  });
});
