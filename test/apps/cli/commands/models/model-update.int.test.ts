import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from '#client/client';
import { modelUpdate, type ModelUpdateOptions } from '../../../../../apps/cli/commands/models/model-update.ts';
import { someBytes } from '../../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../../helpers/origin/origin.ts';
import { startApp, type TestApp } from '../../../api/start-app.ts';

const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);

describe('haulier model update', () => {
  let api: TestApp;
  let origin: Origin;
  beforeAll(async () => {
    api = await startApp();
    const files = { 'model.bin': someBytes(1000, 'newer'), 'README.md': Buffer.from('not part of the model') };
    origin = await startOrigin({ repos: { 'acme/sample': { commit: NEW, files } } });
  });
  afterAll(async () => {
    await api.stop();
    await origin.close();
  });

  /** A model whose check has seen a newer commit. */
  const outdated = async (name: string): Promise<void> => {
    const sources = [{ kind: 'huggingface', repo: 'acme/sample', revision: OLD }];
    const files = [{ path: 'model.bin', sizeBytes: 5, sha256: 'a'.repeat(64) }];
    await api.call('POST', '/api/models', { name, type: 'stt', version: OLD, files, sources });
    await api.deps.database.pool.query(
      `INSERT INTO version_checks (model, source, current, available, newer, checked_at) VALUES ($1, 'hub', $2, $3, true, now())`,
      [name, OLD, NEW],
    );
  };
  /** @param typed what a person types; undefined: there is no terminal */
  const run = async (name: string, typed: string | undefined, options: Partial<ModelUpdateOptions> = {}) => {
    const said = { stdout: '', stderr: '' };
    const stdin = Object.assign(Readable.from(typed === undefined ? [] : [Buffer.from(typed)]), {
      isTTY: typed !== undefined,
    });
    await modelUpdate(
      name,
      { progress: 'none', ...options },
      {
        env: { HAULIER_URL: api.url, HAULIER_TOKEN: api.tokens.write, HF_ENDPOINT: origin.url },
        ...{ stdin, distDir: '/none', signal: new AbortController().signal },
        stdout: { write: (text) => (said.stdout += text) },
        stderr: { write: (text: string) => (said.stderr += text) !== '' },
      },
    );
    return said;
  };
  const get = (name: string) => createClient({ baseUrl: api.url, token: api.tokens.read }).getModel(name);

  it('VE6 asks what shall become of a newer version, and changes nothing until it is decided', async () => {
    await outdated('later');
    const said = await run('later', '\n');
    expect(said.stdout).toContain(`later: a newer version was seen: ${NEW} (current: ${OLD})`);
    expect(said.stderr).toContain('Publish it here (p)');
    expect(said.stdout).toContain('nothing was changed');
    expect(await get('later')).toMatchObject({ newerVersion: NEW, pinnedVersion: null, versions: [{ version: OLD }] });
  });

  it('VE6 publishes it when told so, with the files that the model has, and says how it is rolled out', async () => {
    await outdated('published');
    const said = await run('published', 'P\n');
    expect(said.stdout).toContain(`haulier deploy published@${NEW} --hosts`);
    const model = await get('published');
    expect(model.versions.map(({ version, fileCount }) => [version, fileCount])).toEqual([
      [NEW, 1],
      [OLD, 1],
    ]);
    expect(model).toMatchObject({ type: 'stt', newerVersion: null });
  });

  it('VE6 pins the current version when told so, and is not asked again', async () => {
    await outdated('kept');
    expect((await run('kept', undefined, { keep: true })).stdout).toContain(`kept stays on ${OLD}`);
    expect(await get('kept')).toMatchObject({ pinnedVersion: OLD, newerVersion: null });
    expect((await run('kept', undefined)).stdout).toContain(`it is pinned to ${OLD}`);
  });

  it('K24 needs an answer among its options where there is no terminal', async () => {
    await outdated('silent');
    await expect(run('silent', undefined)).rejects.toMatchObject({
      message: expect.stringContaining('--publish or --keep'),
    });
    await expect(run('silent', undefined, { publish: true, keep: true })).rejects.toMatchObject({
      message: 'give --publish or --keep, not both',
    });
  });
});
