import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { HOUR_MS } from '#core/units';
import { freePort } from '#os/port';
import { runCommand } from '../../../../helpers/command.ts';
import { until } from '../../../../helpers/until.ts';
import { ask, cleansUp, hubView, publishBytes } from '../../../../packages/serve/serve-kit.ts';
import { temporaryFolder, temporaryStore } from '../../../../packages/store/temp-store.ts';
import { serve, type ServeCommandOptions } from '../../../../../apps/cli/commands/hosts/serve.ts';

cleansUp();

const CONFIG = Buffer.from('{"served":true}');

/** Serves until it was asked once. */
async function askOnce(home: string, options: ServeCommandOptions, path: string) {
  const stop = new AbortController();
  let answer: ReturnType<typeof ask> | undefined;
  const end = await runCommand((context) => serve(options, context), {
    env: { HAULIER_HOME: home },
    signal: stop.signal,
    onStdout: (text) => {
      const url = /HF_ENDPOINT=(\S+)/.exec(text)![1]!;
      answer = ask(`${url}${path}`);
      void answer.finally(() => stop.abort('SIGINT'));
    },
  });
  return { end, answer: await answer! };
}

describe('haulier serve', () => {
  it('EX5 serves the store of the host until it is interrupted', async () => {
    const store = await temporaryStore();
    await publishBytes(store, CONFIG, { view: hubView('config.json') });
    const { end, answer } = await askOnce(store.paths.home, { port: '0' }, '/acme/tiny/resolve/main/config.json');
    expect([end.code, answer.status]).toEqual([0, 200]);
    expect(answer.body).toEqual(CONFIG);
    expect(end.stdout).toContain('stop with Ctrl-C');
  });

  it('EX5 gives a model the name of a repository', async () => {
    const store = await temporaryStore();
    await publishBytes(store, CONFIG, { view: { model: 'local', version: '1', path: 'config.json' } });
    const options = { port: '0', repo: ['acme/named=local'] };
    const { answer } = await askOnce(store.paths.home, options, '/acme/named/resolve/main/config.json');
    expect(answer.body).toEqual(CONFIG);
  });

  it.each<[ServeCommandOptions, RegExp]>([
    [{ bind: '0.0.0.0' }, /HAULIER_SERVE_BIND is "0\.0\.0\.0".*HAULIER_SERVE_NETWORKS/],
    [{ port: '99999' }, /--port is "99999": write a port/],
    [{ repo: ['nonsense'] }, /--repo is "nonsense": write a repository and a model/],
    [{ port: '0' }, /holds no store: set HAULIER_HOME.*bundle install.*--allow/],
  ])('EX5 refuses %j with a sentence', async (options, message) => {
    const env = { HAULIER_HOME: join(await temporaryFolder(), 'none') };
    const { code, message: said } = await runCommand((context) => serve(options, context), { env });
    expect([code, said]).toEqual([2, expect.stringMatching(message)]);
  });

  it('EX5 says which port is taken', async () => {
    const { paths } = await temporaryStore();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, message } = await runCommand((context) => serve({ port: `${port}` }, context), {
      env: { HAULIER_HOME: paths.home },
    });
    other.close();
    expect([code, message]).toEqual([2, expect.stringContaining(`port ${port} of 127.0.0.1`)]);
  });

  it('EX5 says an address that clients can use, where it listens on all of them', async () => {
    const { paths } = await temporaryStore();
    const stop = new AbortController();
    const { stdout } = await runCommand((context) => serve({ port: '0', bind: '0.0.0.0' }, context), {
      env: { HAULIER_HOME: paths.home, HAULIER_SERVE_NETWORKS: '127.0.0.0/8' },
      signal: stop.signal,
      onStdout: () => stop.abort('SIGINT'),
    });
    expect(stdout).toMatch(/HF_ENDPOINT=http:\/\/(?!0\.0\.0\.0)[\w.]+:\d+/);
  });

  it('EX5 refuses to ask itself for what it does not have', async () => {
    const port = await freePort();
    const { code, message } = await runCommand((context) => serve({ port: `${port}`, allow: ['acme/*'] }, context), {
      env: { HAULIER_HOME: await temporaryFolder(), HF_ENDPOINT: `http://localhost:${port}` },
    });
    const said = `HF_ENDPOINT is "http://localhost:${port}", which is this server itself`;
    expect([code, message]).toEqual([2, expect.stringContaining(said)]);
  });

  it('EX5 evicts what was fetched for clients when the store is over its limit', async () => {
    const store = await temporaryStore();
    const { sha256 } = await publishBytes(store, CONFIG);
    const { path } = (await store.look(sha256))!;
    const longAgo = new Date(Date.now() - 2 * HOUR_MS);
    await utimes(path, longAgo, longAgo);
    const stop = new AbortController();
    const { code } = await runCommand((context) => serve({ port: '0', allow: ['acme/*'] }, context), {
      env: { HAULIER_HOME: store.paths.home, HAULIER_STORE_MAX_BYTES: '1B', HAULIER_STORE_SWEEP_EVERY: '100ms' },
      signal: stop.signal,
      onStdout: () =>
        void until(() => !existsSync(path), { what: 'the content is gone' }).finally(() => stop.abort('SIGINT')),
    });
    expect([code, existsSync(path)]).toEqual([0, false]);
  });
});
