import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { packageFolder, packageVersion } from '#os/package-folder';

describe('the package of a module', () => {
  it('is the nearest folder above it with a package.json', async () => {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'haulier-package-')));
    await mkdir(join(root, 'dist', 'apps'), { recursive: true });
    await writeFile(join(root, 'package.json'), '{"version":"1.2.3"}');
    const module = pathToFileURL(join(root, 'dist', 'apps', 'main.js')).href;
    expect(packageFolder(module)).toBe(root);
    expect(packageVersion(module)).toBe('1.2.3');
    await rm(root, { recursive: true });
  });

  it('without a package.json is an error that says what to install', () => {
    expect(() => packageFolder('file:///dist/main.js')).toThrow('install the whole package');
  });
});
