import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { startCli } from '../../../../helpers/cli.ts';
import { until } from '../../../../helpers/until.ts';
import { ask, cleansUp, hubView, numbered, publishBytes } from '../../../../packages/serve/serve-kit.ts';
import { temporaryStore } from '../../../../packages/store/temp-store.ts';

cleansUp();

const CLIENTS = 100;

/** Reads some of a file and closes the connection in the middle, as clients do that split a file or are stopped. */
async function readSome(url: string): Promise<void> {
  const request = get(url, { agent: false });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  const closed = new Promise((resolve) => response.once('close', resolve));
  let bytes = 0;
  response.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > MIB) request.destroy();
  });
  await closed;
}

/** Resolves when it serves. @returns where */
async function urlOf({ stdout }: ChildProcess): Promise<string> {
  let said = '';
  stdout!.on('data', (text: Buffer) => (said += text.toString()));
  await until(() => said.includes('what is served'), { what: 'it serves' });
  return /HF_ENDPOINT=(\S+)/.exec(said)![1]!;
}

describe('haulier serve as a program', () => {
  it('EX5 F20 goes on when clients close their connections in the middle of a file', async () => {
    const store = await temporaryStore();
    await publishBytes(store, numbered(24 * MIB), { view: hubView('model.bin') });
    const { child, ended } = startCli(['serve', '--port', '0'], { env: { HAULIER_HOME: store.paths.home } });
    try {
      const file = `${await urlOf(child)}/acme/tiny/resolve/main/model.bin`;
      for (let client = 0; client < CLIENTS; client += 1) await readSome(file);
      expect((await ask(file, { method: 'HEAD' })).status).toBe(200);
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toMatchObject({ code: 130, stderr: '' });
  });
});
