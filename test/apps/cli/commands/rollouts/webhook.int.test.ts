import { Readable } from 'node:stream';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DeliveryList, Webhook, WebhookWithSecret } from '#contracts/http/webhooks';
import { createProgram } from '../../../../../apps/cli/program.ts';
import { CliError } from '../../../../../apps/cli/exit-code.ts';
import { verified } from '../../../../helpers/receiver.ts';
import { startWebhooks, type WebhookKit } from '../../../api/webhooks/webhook-kit.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
}

describe('haulier webhook', () => {
  let kit: WebhookKit;
  let folder: string;
  beforeEach(async () => {
    kit = await startWebhooks();
    folder = await mkdtemp(join(tmpdir(), 'haulier-webhook-'));
  });
  afterEach(async () => {
    await kit.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (args: readonly string[], scope: 'admin' | 'write' = 'admin'): Promise<Ended> => {
    const said = { stdout: '', stderr: '' };
    const program = createProgram({
      env: { HAULIER_URL: kit.api.url, HAULIER_TOKEN: kit.api.tokens[scope] },
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
      distDir: '',
      stdin: Readable.from([]),
      signal: new AbortController().signal,
    });
    try {
      await program.parseAsync(['node', 'haulier', 'webhook', ...args]);
      return { code: 0, ...said, message: '' };
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return { code: error.exitCode, ...said, message: error.message };
    }
  };
  const read = async <Answer>(...args: readonly string[]): Promise<Answer> =>
    JSON.parse((await run([...args, '--json'])).stdout) as Answer;

  it('adds an endpoint, and stdout has its secret alone', async () => {
    const added = await run(['add', kit.receiver.url, '--events', 'rollout.*, host.offline', '--description', 'chat']);
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whsec_\S+\n$/) });
    expect(added.stderr).toContain('is not shown again');
    const { webhooks } = await read<{ webhooks: Webhook[] }>('list');
    expect(webhooks).toMatchObject([{ events: ['rollout.*', 'host.offline'], description: 'chat', enabled: true }]);
    expect((await run(['list'])).stdout).toMatch(/enabled +0 +never +rollout\.\*,host\.offline/);
    expect((await run(['show', webhooks[0]!.id])).stdout).toContain(kit.receiver.url);
  });

  it('sends a test message, and its exit code says whether the endpoint took it', async () => {
    const { id, secret } = await read<WebhookWithSecret>('add', kit.receiver.url);
    expect(await run(['test', id])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/answered 204 after \d+ ms/),
    });
    expect(verified(secret, kit.receiver.received[0]!)).toBeDefined();
    kit.receiver.answers.push(401);
    expect(await run(['test', id])).toMatchObject({ code: 1, message: expect.stringContaining('answered 401') });
    const rows = (await run(['deliveries', id])).stdout;
    expect(rows).toMatch(/webhook\.test +pending +1 +answered 401; next at/);
    expect(rows).toMatch(/webhook\.test +delivered +1 +answered 204/);
  });

  it('disables, enables, replays, rotates to a secret of a file, and removes', async () => {
    const { id } = await read<WebhookWithSecret>('add', kit.receiver.url);
    kit.receiver.answers.push(410);
    await run(['test', id]);
    expect((await run(['show', id])).stdout).toContain('disabled (gone)');
    expect(await run(['replay', id])).toMatchObject({ code: 2, message: expect.stringContaining('disabled') });
    await run(['enable', id]);
    expect((await run(['replay', id])).stdout).toBe('1 messages are sent again\n');
    await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
    const { deliveries } = await read<DeliveryList>('deliveries', id, '--state', 'delivered');
    expect((await run(['replay', id, deliveries[0]!.id])).code).toBe(0);
    await kit.messages(3);
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    await writeFile(join(folder, 'secret'), `${secret}\n`);
    expect((await run(['rotate', id, '--secret-file', join(folder, 'secret')])).stdout).toBe(`${secret}\n`);
    expect((await run(['disable', id])).stdout).toContain('disabled (manual)');
    expect((await run(['remove', id])).stdout).toMatch(new RegExp(`^${id} is removed`));
    expect((await run(['show', id])).code).toBe(4);
  });

  it('says what is wrong with what was typed, and with the token', async () => {
    expect(await run(['add', kit.receiver.url, '--events', 'rollout.faild'])).toMatchObject({
      code: 2,
      message: expect.stringContaining('did you mean rollout.failed?'),
    });
    expect(await run(['add', 'http://10.0.0.1/'])).toMatchObject({
      code: 2,
      message: expect.stringContaining('address'),
    });
    expect(await run(['list'], 'write')).toMatchObject({ code: 3, message: expect.stringContaining('admin') });
    expect(await run(['rotate', 'x', '--secret-file', join(folder, 'none')])).toMatchObject({
      code: 2,
      message: expect.stringContaining('--secret-file'),
    });
    expect((await run(['events'])).stdout).toContain('rollout.threshold_reached');
  });
});
