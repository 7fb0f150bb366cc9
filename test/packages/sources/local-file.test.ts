import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { JobFile, ManifestFile } from '#contracts/file-spec';
import { silentLogger } from '#core/logger';
import { OriginGates } from '#sources/guards/limited';
import { localFile, parseFileUrl } from '#sources/local-file';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { collect, quickHttp } from './collect.ts';

const BYTES = someBytes(2_500_000, 'local');
const never = new AbortController().signal;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-local-'));
  path = join(folder, 'model %20 ü.bin');
  await writeFile(path, BYTES);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (of = path) => localFile(pathToFileURL(of).href);

describe('a local file', () => {
  it('is one source of the same file, known by its URL without what a query may hide', () => {
    const source = localFile('file://localhost/mnt/m%20x.bin?token=secret#part');
    expect(source).toMatchObject({ name: 'file:///mnt/m%20x.bin', origin: '/mnt/m x.bin', kind: 'local' });
    expect(source.layer).toBe('origin');
  });

  it.each([
    'file:model.bin',
    'file:/model.bin',
    'file://server/share/model.bin',
    'file:///a%2Fb',
    'file:///a%00b',
    'file:',
  ])('refuses "%s", which names no file of this machine', (text) => {
    expect(() => parseFileUrl(text)).toThrow(`"${text}" names no file of this machine: write file:///path`);
  });

  it('is read through a symbolic link, which the user typed', async () => {
    await symlink(path, join(folder, 'link'));
    expect((await collect(at(join(folder, 'link')), {})).bytes.equals(BYTES)).toBe(true);
  });

  it('is a regular file: a folder, a pipe without a writer and a device are refused at once', async () => {
    await mkdir(join(folder, 'sub'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const other of [join(folder, 'sub'), join(folder, 'pipe'), '/dev/zero'])
      expect(await collect(at(other), {})).toMatchObject({
        error: { name: 'SourceError', kind: 'bad-response', message: expect.stringContaining('not a regular file') },
        head: undefined,
      });
  });

  it('is missing where it is not', async () => {
    for (const other of [join(folder, 'none'), join(path, 'below')])
      expect((await collect(at(other), {})).error).toMatchObject({ name: 'SourceError', kind: 'missing' });
  });

  it('says that it changed while it was read, and shows another validator then', async () => {
    const source = at();
    let changed: Promise<void> | undefined;
    const sink = { head: () => undefined, write: () => (changed ??= appendFile(path, 'more')) };
    await expect(source.read({}, sink, never)).rejects.toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('changed while it was read'),
    });
    const { head } = await collect(source, {});
    const again = await collect(source, {});
    expect(again.head).toEqual(head);
    await appendFile(path, 'x');
    expect((await collect(source, {})).head!.validator).not.toEqual(head!.validator);
  });

  it('is interrupted when it becomes shorter while it is read', async () => {
    let cut: Promise<void> | undefined;
    const sink = { head: () => undefined, write: () => (cut ??= truncate(path, 10)) };
    await expect(at().read({}, sink, never)).rejects.toMatchObject({ kind: 'interrupted' });
  });
});

describe('a file of the worker', () => {
  const url = 'file:///etc/passwd';
  const mirror = { kind: 'mirror', url } as const;

  it('cannot be named by a manifest', () => {
    const file = { path: 'm.bin', sha256: 'a'.repeat(64), sources: [mirror] };
    const { error } = ManifestFile.safeParse(file);
    expect(error?.issues[0]).toMatchObject({
      path: ['sources', 0, 'url'],
      message: 'write an http:// or https:// URL',
    });
  });

  it('cannot be named by a job', () => {
    expect(JobFile.safeParse({ path: 'm.bin', digests: {}, sources: [mirror] }).success).toBe(false);
  });

  it('is no source, and is not opened, when it was not typed on this machine', async () => {
    const typed = pathToFileURL(path).href;
    const http = quickHttp();
    const warnings: unknown[] = [];
    const sourcesWith = (trustedUrls: readonly string[] | undefined) =>
      makeSources(
        { path: 'm.bin', digests: {}, sources: [{ kind: 'mirror', url: typed }] },
        {
          ...{ gateways: [], hfEndpoint: 'http://hub.invalid', layers: ['origin'], http, trustedUrls },
          ...{ health: new SourceHealth(), gates: new OriginGates() },
          logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
        },
      );
    expect(sourcesWith(undefined)).toEqual([]);
    expect(sourcesWith(['file:///another'])).toEqual([]);
    expect(warnings).toHaveLength(2);
    const [source] = sourcesWith([typed]);
    expect((await collect(source!, {})).bytes.equals(BYTES)).toBe(true);
    http.close();
  });
});
