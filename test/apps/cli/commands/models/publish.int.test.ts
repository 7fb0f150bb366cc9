import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openBundle } from '#sources/bundle/bundle';
import { localBundle } from '#sources/bundle/bundle-reader';
import { runCli, type CliEnd } from '../../../../helpers/cli.ts';
import { sha256Of, someBytes } from '../../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../../helpers/origin/origin.ts';
import { startSystem, type System } from '../../../../helpers/system.ts';

const files = { 'config.json': Buffer.from('{"a":1}'), 'onnx/encoder.bin': someBytes(3_000_000, 'encoder') };

describe('from a repository to a bundle, by the command line alone', () => {
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    origin = await startOrigin({ repos: { 'org/m': { commit: 'c'.repeat(40), files } } });
    system = await startSystem({ origin });
  });

  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const cli = (...args: string[]): Promise<CliEnd> =>
    runCli(args, {
      env: {
        ...{ HAULIER_URL: system.apiUrl, HAULIER_TOKEN: system.token, HF_ENDPOINT: origin.url },
        HAULIER_HOME: system.homeOf('host-a'),
      },
    });

  it('VE7 VE1 CH5 a model is added, brought to a host, verified there, bundled, and the bundle is right', async () => {
    const added = await cli('model', 'add', 'sample', '--hf', 'org/m', '--type', 'stt');
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^baguqeera\w+ {2}sample@c{40}\n$/) });
    expect(await cli('model', 'add', 'sample', '--hf', 'org/m', '--type', 'stt')).toMatchObject({ code: 0 });
    const other = await cli('model', 'add', 'sample', '--hf', 'org/m', '--include', '*.json');
    expect(other).toMatchObject({ code: 2, stdout: '' });

    const brought = await cli('download', 'sample', '--host', 'host-a', '--wait', '--json', '--progress', 'none');
    expect(brought.code).toBe(0);
    const { downloads } = JSON.parse(brought.stdout) as { downloads: { sha256: string }[] };
    expect(downloads.map(({ sha256 }) => sha256).sort()).toEqual(Object.values(files).map(sha256Of).sort());

    expect(await cli('worker', 'verify', 'sample')).toMatchObject({ code: 0 });
    const bundle = `${system.homeOf('host-a')}/sample.tar`;
    expect(await cli('bundle', 'create', 'sample', '-o', bundle)).toMatchObject({ code: 0 });
    expect(await cli('bundle', 'verify', bundle)).toMatchObject({ code: 0 });
    const { manifests } = await openBundle(localBundle(bundle), AbortSignal.timeout(5_000));
    const repository = { kind: 'huggingface', repo: 'org/m', revision: 'c'.repeat(40) };
    const bundled = Object.keys(files).map((path) => ({ path, sources: [{ ...repository, path }] }));
    expect(manifests).toMatchObject([
      { name: 'sample', type: 'stt', files: bundled.sort((a, b) => (a.path < b.path ? -1 : 1)) },
    ]);
  });

  it('K24 ends with a code of its own for a missing token and for an unknown model', async () => {
    expect(await runCli(['model', 'list'], { env: { HAULIER_URL: system.apiUrl } })).toMatchObject({ code: 3 });
    expect(await cli('download', 'nowhere', '--host', 'host-a')).toMatchObject({ code: 4 });
    expect(await cli('model', 'show', 'nowhere')).toMatchObject({ code: 4 });
  });
});
