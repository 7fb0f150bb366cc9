import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Token } from '#contracts/http/access/tokens';
import { createProgram } from '../../../../apps/cli/program.ts';
import { runSomeItems } from '../../../../apps/api/bulk/run-bulk-actions.ts';
import { runCommand, type CommandEnd } from '../../../helpers/command.ts';
import { until } from '../../../helpers/until.ts';
import { startApp, type TestApp } from '../../api/start-app.ts';
import { createTestDatabase } from '../../../helpers/database.ts';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));
const HOME = { HAULIER_HOME: '/nonexistent/haulier' };

const run = (words: readonly string[], env: Record<string, string>, stdin?: string): Promise<CommandEnd> =>
  runCommand(
    async (context) => {
      await createProgram(context).parseAsync(['node', 'haulier', ...words]);
    },
    { env: { ...HOME, ...env }, distDir: DIST, ...(stdin === undefined ? {} : { stdin }) },
  );

describe('the command line of an administrator', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const as = (token: string) => ({ HAULIER_URL: api.url, HAULIER_TOKEN: token });
  const admin = (...words: string[]) => run(words, as(api.tokens.admin));

  it('T01 makes a limited token whose text is the one line of stdout, lists it and revokes it', async () => {
    const words = ['token', 'create', 'deploy of whisper', '--kind', 'ci', '--scope', 'write', '--expires', '90d'];
    const made = await admin(...words, '--model', 'whisper-*', '--hosts', 'gpu=true');
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^haulier_ci_\w{36}\n$/)]);
    expect(made.stderr).toMatch(/write, only whisper-\*, to gpu=true, until 20\d\d-.*its hash is stored/);
    const token = made.stdout.trim();
    expect((await run(['whoami'], as(token))).stdout).toContain('"deploy of whisper"');
    const list = await admin('token', 'list');
    expect(list.stdout).toMatch(/deploy of whisper +ci …\w{4} +write, only whisper-\*, to gpu=true/);
    expect(list.stdout).not.toContain(token);
    const { tokens } = JSON.parse((await admin('token', 'list', '--json')).stdout) as { tokens: Token[] };
    const { id } = tokens.find(({ name }) => name === 'deploy of whisper')!;
    expect((await admin('token', 'revoke', id)).stdout).toMatch(/deploy of whisper {2}revoked 20/);
    expect((await run(['whoami'], as(token))).code).toBe(3);
    expect((await admin('token', 'list', '--all')).stdout).toMatch(/deploy of whisper.*revoked/);
    const { stdout } = await admin('audit', '--target', `tokens/${id}`);
    expect(stdout).toMatch(/test admin +revokeToken .*\n.*test admin +createToken/);
  });

  it('makes users with a password from stdin, changes, disables and deletes them, and shows no password', async () => {
    const user = (...words: string[]) => run(['user', ...words], as(api.tokens.admin), 'correct horse battery\n');
    const made = await user('create', 'Alice', '--role', 'operator');
    expect([made.code, made.stdout]).toEqual([0, 'alice may sign in as operator\n']);
    expect((await user('create', 'alice')).message).toContain('there is a user "alice" already');
    expect((await user('role', 'alice', 'viewer')).stdout).toContain('alice is viewer');
    expect((await user('password', 'alice')).stdout).toContain('new password');
    expect((await user('disable', 'alice')).stdout).toContain('cannot sign in');
    expect((await user('list')).stdout).toMatch(/alice +viewer +disabled +never +test admin/);
    expect((await user('enable', 'alice')).code).toBe(0);
    expect((await user('delete', 'alice')).stdout).toContain('the audit keeps the name');
    expect((await user('role', 'alice', 'viewer')).code).toBe(4);
    expect((await run(['user', 'create', 'bob'], as(api.tokens.admin), '')).message).toContain('no password was given');
    expect((await run(['user', 'create', 'bob'], as(api.tokens.admin), 'short')).message).toContain('at least 10');
    expect((await run(['user', 'list'], as(api.tokens.write))).code).toBe(3);
    const { stdout } = await admin('audit', '--target', 'users/alice');
    expect(stdout).toMatch(/deleteUser[\s\S]*changeUser[\s\S]*createUser/);
    const { rows } = await api.deps.database.pool.query<{ text: string }>('SELECT a::text AS text FROM audit a');
    expect(rows.some(({ text }) => /correct horse|short"/.test(text))).toBe(false);
  });

  it('T01 says what is missing, and who may not', async () => {
    expect(await admin('token', 'create', 'x')).toMatchObject({
      code: 2,
      message: expect.stringContaining('--scope read'),
    });
    expect((await run(['token', 'list'], as(api.tokens.write))).code).toBe(3);
    expect((await admin('token', 'revoke', '00000000-0000-4000-8000-000000000000')).code).toBe(4);
  });

  it('T03 makes an admin token in the database of the API, when the last one is lost', async () => {
    const { database, url, drop } = await createTestDatabase();
    try {
      const made = await run(['token', 'create', 'found again', '--admin', '--database'], {
        DATABASE_URL: url,
        PATH: process.env['PATH'] ?? '',
      });
      expect([made.code, made.message, made.stdout]).toEqual([0, '', expect.stringMatching(/^haulier_pat_\w{36}\n$/)]);
      const { rows } = await database.pool.query<{ actor: string; action: string }>('SELECT actor, action FROM audit');
      expect(rows).toEqual([{ actor: 'command line of the API', action: 'createToken' }]);
      const scopes = await database.pool.query<{ scopes: string[] }>('SELECT scopes FROM api_tokens');
      expect(scopes.rows).toEqual([{ scopes: ['admin'] }]);
    } finally {
      await drop();
    }
  });

  it('T03 tells what to do where no database is found, and makes no other kind of token there', async () => {
    const nowhere = await run(['token', 'create', 'x', '--admin', '--database'], {});
    expect(nowhere).toMatchObject({ code: 2, message: expect.stringContaining('set DATABASE_URL as for the API') });
    const other = await run(['token', 'create', 'x', '--scope', 'read', '--database'], {});
    expect(other).toMatchObject({ code: 2, message: expect.stringContaining('give --admin') });
    const down = await run(['token', 'create', 'x', '--admin', '--database'], {
      ...{ DATABASE_URL: 'postgres://u:secret-word@127.0.0.1:1/x', PATH: process.env['PATH'] ?? '' },
    });
    expect(down).toMatchObject({ code: 1, message: expect.stringContaining('the API made no token') });
    expect(down.message).not.toContain('secret-word');
  });

  it('T04 leaves the start of the API in the audit as well', async () => {
    const list = await api.call('GET', '/api/audit', undefined, { authorization: `Bearer ${api.tokens.admin}` });
    expect(list.json<AuditList>().entries.length).toBeGreaterThan(0);
  });

  it('T08 pauses, retries and cancels by id and by filter, with exact counts, and names what it skips', async () => {
    const files = ['a', 'b', 'c'].map((name) => ({ path: name, sizeBytes: 1, sha256: name.repeat(64) }));
    await api.call('POST', '/api/models', { name: 'm', version: '1', files });
    const asked = await api.call('POST', '/api/downloads', { model: 'm', host: 'gpu-1' });
    const [a, b, c] = asked.json<DownloadRequest>().downloads.map(({ id }) => id);
    const bulk = async (...words: string[]): Promise<CommandEnd> => {
      const ending = run(['download', ...words], as(api.tokens.write));
      let ended = false;
      void ending.finally(() => (ended = true));
      await until(async () => !(await runSomeItems(api.deps)) && ended, { what: 'the command ends' });
      return ending;
    };
    expect((await bulk('pause', '--model', 'm@1', '--host', 'gpu-1')).stdout).toBe('3 paused of 3 downloads\n');
    expect((await bulk('pause', a!)).stdout).toBe('0 paused, 1 unchanged, stood so already of 1 download\n');
    await api.deps.database.pool.query(`UPDATE downloads SET status = 'success' WHERE id = $1`, [b]);
    const named = await bulk('cancel', a!, b!);
    expect([named.code, named.message]).toEqual([1, '1 download could not be cancelled']);
    expect(named.stdout).toMatch(/^1 cancelled, 1 skipped of 2 downloads\n/);
    expect(named.stdout).toMatch(new RegExp(`${b} +gpu-1 +b +the file is there and verified`));
    const json = await bulk('resume', '--model', 'm', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ schema: 'haulier.bulk-action/v1', state: 'done', exitCode: 0 },
      counts: { matched: 1, done: 1 },
    });
    expect((await bulk('retry', '--model', 'm', '--status', 'cancelled')).stdout).toBe('1 retried of 1 download\n');
    expect((await bulk('retry', '--model', 'm')).code).toBe(4);
    expect((await bulk('cancel', c!)).stdout).toBe('1 cancelled of 1 download\n');
  });
});
