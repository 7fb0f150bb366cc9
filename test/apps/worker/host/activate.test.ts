import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ActivateOrder } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import type { Store } from '#store/open-store';
import { activate, type ActivationFailure } from '../../../../apps/worker/host/activate.ts';
import type { HostCommand } from '../../../../apps/worker/host/run-command.ts';
import { partialOf, removeTemporaryFolders, temporaryStore } from '../../../packages/store/temp-store.ts';

/** A program that every machine with these tests has. */
const node = (script: string, timeoutMs = 30_000): HostCommand => ({
  run: [process.execPath, '-e', script],
  timeoutMs,
});

const note = (text: string, file: string): string =>
  `require('node:fs').appendFileSync(${JSON.stringify(file)}, ${text} + '\\n')`;

describe('the activation of versions on a host', () => {
  let store: Store;
  let folder: string;
  let log: string;
  let commands: Map<string, HostCommand>;
  beforeEach(async () => {
    store = await temporaryStore();
    folder = await mkdtemp(join(tmpdir(), 'haulier-activate-'));
    log = join(folder, 'log');
    const said = `process.env.HAULIER_MODEL + '@' + process.env.HAULIER_VERSION + ' was ' + process.env.HAULIER_PREVIOUS_VERSION`;
    commands = new Map([
      [
        'note',
        node(
          note(
            `${said} + ' shows ' + require('node:fs').readFileSync(process.env.HAULIER_MODEL_FOLDER + '/a', 'utf8')`,
            log,
          ),
        ),
      ],
      ['fail', node(`console.error('the server is busy'); process.exit(3)`)],
      ['hang', node('setInterval(() => undefined, 1000)', 300)],
      ['gone', { run: [join(folder, 'no-such-program')], timeoutMs: 1000 }],
      ['environment', node(note('JSON.stringify(process.env)', log))],
    ]);
    await put('1', 'one', false);
    await put('2', 'two', true);
  });
  afterEach(async () => {
    await removeTemporaryFolders();
    await rm(folder, { recursive: true, force: true });
  });

  async function put(version: string, text: string, isHeld: boolean): Promise<void> {
    for (const path of ['a', 'b']) {
      const view = { model: 'm', version, path, versionFileCount: 2, isHeld };
      await store.publish(await partialOf(store, Buffer.from(text + path), view));
    }
  }
  const order = (more: Partial<ActivateOrder> = {}): ActivateOrder => ({
    ...{ version: 1, id: 'e7ab4d40-0000-4000-8000-000000000000', order: 'activate', requestedAt: 1 },
    models: [{ name: 'm', version: '2' }],
    ...more,
  });
  const run = (more?: Partial<ActivateOrder>, signal = new AbortController().signal): Promise<ActivationFailure> =>
    activate({ store, commands, commandPath: process.env['PATH'] ?? '', logger: silentLogger }, order(more), signal);
  const shown = (): Promise<string[]> =>
    Promise.all(['a', 'b'].map((path) => readFile(join(store.paths.models, 'm', path), 'utf8')));

  it('shows a held version, all its files together, and only then', async () => {
    expect(await shown()).toEqual(['onea', 'oneb']);
    expect(await run()).toBeUndefined();
    expect(await shown()).toEqual(['twoa', 'twob']);
    expect((await store.records()).get('m')).toMatchObject({ version: '2', previousVersion: '1' });
  });

  it('a held first version is stored and not shown', async () => {
    const view = { model: 'new', version: '1', path: 'a', versionFileCount: 1, isHeld: true };
    await store.publish(await partialOf(store, Buffer.from('x'), view));
    expect((await store.records()).get('new')?.version).toBeNull();
    await expect(readFile(join(store.paths.models, 'new', 'a'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await run({ models: [{ name: 'new', version: '1' }] })).toBeUndefined();
    expect(await readFile(join(store.paths.models, 'new', 'a'), 'utf8')).toBe('x');
  });

  it('runs the commands before and after, with the model and the versions in their environment', async () => {
    expect(await run({ before: 'note', after: 'note' })).toBeUndefined();
    expect((await readFile(log, 'utf8')).split('\n')).toEqual(['m@2 was 1 shows onea', 'm@2 was 1 shows twoa', '']);
  });

  it('gives commands nothing else of the environment of the worker', async () => {
    process.env['HAULIER_TEST_SECRET'] = 'hf_secret';
    try {
      expect(await run({ after: 'environment' })).toBeUndefined();
    } finally {
      delete process.env['HAULIER_TEST_SECRET'];
    }
    const names = Object.keys(JSON.parse(await readFile(log, 'utf8'))).filter(
      (name) => !/^__|^(PWD|SHLVL|_)$/.test(name),
    );
    expect(names.sort()).toEqual([
      ...['HAULIER_MODEL', 'HAULIER_MODEL_FOLDER', 'HAULIER_PREVIOUS_VERSION', 'HAULIER_VERSION', 'PATH'],
    ]);
  });

  it.each([
    ['fail', 'exit code 3: the server is busy'],
    ['hang', 'ran longer than 0.3 s'],
    ['gone', 'could not be started: spawn'],
  ])('N22 keeps the version that is shown when the command before fails: %s', async (before, message) => {
    expect(await run({ before })).toEqual({ errorKind: 'before_command', message: expect.stringContaining(message) });
    expect(await shown()).toEqual(['onea', 'oneb']);
  });

  it('says that the command after failed, and goes on showing the new version', async () => {
    expect(await run({ after: 'fail' })).toEqual({
      errorKind: 'after_command',
      message: 'command fail for m@2: exit code 3: the server is busy; the new version is shown',
    });
    expect(await shown()).toEqual(['twoa', 'twob']);
  });

  it('refuses a command that the worker does not have, before anything is run', async () => {
    const end = await run({ before: 'note', after: 'rm-rf' });
    expect(end).toEqual({ errorKind: 'command_unknown', message: expect.stringContaining('note, fail, hang') });
    await expect(readFile(log)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await shown()).toEqual(['onea', 'oneb']);
  });

  it('refuses a version that is not stored here, and one in the way of a pinned one', async () => {
    expect(await run({ models: [{ name: 'm', version: '9' }] })).toMatchObject({ errorKind: 'not_stored' });
    await store.pin('m', true);
    expect(await run()).toMatchObject({ errorKind: 'pinned', message: expect.stringContaining('version 1 of m') });
    expect(await shown()).toEqual(['onea', 'oneb']);
  });

  it('N23 kills a command when the worker stops, and answers nothing', async () => {
    const stopping = new AbortController();
    const slow = node(`${note(`'begun'`, log)}; setInterval(() => undefined, 1000)`, 60_000);
    commands.set('slow', slow);
    const ending = run({ before: 'slow' }, stopping.signal);
    while (!(await readFile(log, 'utf8').catch(() => '')).includes('begun')) await new Promise(setImmediate);
    stopping.abort(new Error('stop'));
    await expect(ending).rejects.toThrow('stop');
    expect(await shown()).toEqual(['onea', 'oneb']);
  });

  it('a second run of the same order is harmless', async () => {
    expect(await run({ after: 'note' })).toBeUndefined();
    expect(await run({ after: 'note' })).toBeUndefined();
    expect(await shown()).toEqual(['twoa', 'twob']);
    expect((await store.records()).get('m')).toMatchObject({ version: '2', previousVersion: '1' });
  });
});
