import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findProgram } from '#embedded/find-program';
import { hasApt, installedIn, siblingsOf } from '#embedded/unpack-packages';
import { runCommand } from '#embedded/command';

const describeWithApt = (await hasApt()) ? describe : describe.skip;
let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'haulier-find-'));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

describe('findProgram', () => {
  it('takes the installed program first', async () => {
    const found = await findProgram('sh', { packages: ['dash'], cacheDir });
    expect(found).toEqual({ path: expect.stringMatching(/\/sh$/), env: {} });
  });

  it('names the command to run when there is no such program and no such package', async () => {
    const finding = findProgram('no-such-program', { packages: ['no-such-package'], cacheDir });
    await expect(finding).rejects.toThrow(/run `.*install no-such-package` and start again$/);
  });
});

describeWithApt('findProgram with apt', () => {
  /** Debian's redis-server in small: the server is a link into the tools, and both come from one source package. */
  const LINKED_SERVER: readonly Package[] = [
    {
      name: 'sample-server',
      fields: ['Source: sample', 'Depends: sample-tools, other-library'],
      content: async (root) => symlink('sample-check', join(await binOf(root), 'sample-server')),
    },
    {
      name: 'sample-tools',
      fields: ['Source: sample'],
      content: async (root) => writeProgram(join(await binOf(root), 'sample-check'), 'echo "sample 1.0"'),
    },
    {
      name: 'other-library',
      fields: [],
      content: async (root) => writeProgram(join(await binOf(root), 'other-program'), 'true'),
    },
  ];

  it.each([
    ['the machine has nothing of it', []],
    ['the machine has the package that its program is a link into', ['sample-tools', 'other-library']],
    ['the machine has all of it', ['sample-server', 'sample-tools', 'other-library']],
  ])('K35 unpacks a program that runs where %s', async (_what, installed) => {
    const aptSettings = await makeRepository(LINKED_SERVER, installed);
    const options = { packages: ['sample-server'], cacheDir, installed: false, aptSettings };
    const found = await findProgram('sample-server', options);
    expect(await runCommand(found.path, [], { env: found.env })).toBe('sample 1.0\n');
    const programs = await readdir(join(cacheDir, 'programs/sample-server/usr/bin'));
    expect(programs.includes('other-program')).toBe(!(installed as string[]).includes('other-library'));
  });

  it('unpacks again over a folder that is only half there', async () => {
    const folder = join(cacheDir, 'programs/sample-server/usr/bin');
    await mkdir(folder, { recursive: true });
    await writeProgram(join(folder, 'sample-server'), 'exit 1');
    const aptSettings = await makeRepository(LINKED_SERVER, []);
    const options = { packages: ['sample-server'], cacheDir, installed: false, aptSettings };
    const found = await findProgram('sample-server', options);
    expect(await runCommand(found.path, [], { env: found.env })).toBe('sample 1.0\n');
  });
});

describe('installedIn', () => {
  it('takes what has a version', () => {
    const policy =
      'libjemalloc2:\n  Installed: (none)\n  Candidate: 5.3\nlibc6:\n  Installed: 2.36\n  Candidate: 2.37\n';
    expect([...installedIn(policy)]).toEqual(['libc6']);
  });
});

describe('siblingsOf', () => {
  it('finds the packages of the same source, whatever its name and version', () => {
    const shown = [
      'Package: redis-server\nSource: redis (5:7.0.15-1)\nVersion: 5:7.0.15-1',
      'Package: redis-tools\nSource: redis',
      'Package: libc6\nSource: glibc',
      'Package: nginx\nVersion: 1',
      'Package: nginx-common\nSource: nginx\n',
    ].join('\n\n');
    expect([...siblingsOf(['redis-server'], shown)]).toEqual(['redis-server', 'redis-tools']);
    expect([...siblingsOf(['nginx'], shown)]).toEqual(['nginx', 'nginx-common']);
  });
});

interface Package {
  readonly name: string;
  /** Lines of its control file beyond those that every package has. */
  readonly fields: readonly string[];
  /** Fills the folder whose files the package installs. */
  content(root: string): Promise<void>;
}

async function binOf(root: string): Promise<string> {
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  return join(root, 'usr/bin');
}

const writeProgram = (path: string, line: string): Promise<void> =>
  writeFile(path, `#!/bin/sh\n${line}\n`).then(() => chmod(path, 0o755));

/**
 * A repository of apt in a folder, so that neither the network nor what this machine has installed decides a test.
 *
 * @param installed names of the packages that apt believes to be installed, in a newer version than that of the repository
 * @returns settings that make apt see this repository and this machine only
 */
async function makeRepository(packages: readonly Package[], installed: readonly string[]): Promise<string[]> {
  const folder = join(cacheDir, 'repository');
  await mkdir(folder);
  const entries: string[] = [];
  for (const { name, fields, content } of packages) {
    const control = [`Package: ${name}`, 'Version: 1', 'Architecture: all', 'Maintainer: a <a@example.org>', ...fields];
    const root = join(cacheDir, 'root', name);
    await mkdir(join(root, 'DEBIAN'), { recursive: true });
    for (const path of [root, join(root, 'DEBIAN')]) await chmod(path, 0o755);
    await content(root);
    await writeFile(join(root, 'DEBIAN/control'), `${control.join('\n')}\nDescription: a sample\n`);
    const deb = join(folder, `${name}.deb`);
    await runCommand('dpkg-deb', ['--root-owner-group', '--build', root, deb]);
    const bytes = await readFile(deb);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    entries.push([...control, `Filename: ./${name}.deb`, `Size: ${bytes.length}`, `SHA256: ${sha256}`].join('\n'));
  }
  await writeFile(join(folder, 'Packages'), `${entries.join('\n\n')}\n`);
  await writeFile(join(cacheDir, 'sources.list'), `deb [trusted=yes] file:${folder} ./\n`);
  const states = installed.map(
    (name) => `Package: ${name}\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n`,
  );
  await writeFile(join(cacheDir, 'installed'), states.join('\n'));
  return [
    `Dir::State::status=${join(cacheDir, 'installed')}`,
    `Dir::Etc::sourcelist=${join(cacheDir, 'sources.list')}`,
    'Dir::Etc::sourceparts=-',
  ];
}
