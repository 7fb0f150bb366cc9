import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { draftFromFolder } from '#ingest/draft-from-folder';
import { MIB } from '#core/units';
import { makeBlocks } from '../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';

const big = someBytes(2 * MIB + 5, 'big');
const small = Buffer.from('{"a":1}');
const signal = new AbortController().signal;

describe('draftFromFolder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-folder-'));
    await mkdir(join(folder, 'onnx'));
    await writeFile(join(folder, 'onnx', 'model.onnx'), big);
    await writeFile(join(folder, 'config.json'), small);
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gives size, SHA-256 and CID of every file in the order of their paths', async () => {
    const seen: (readonly [number, number | undefined])[] = [];
    const draft = await draftFromFolder(folder, {
      ...{ include: [], signal },
      onProgress: ({ doneBytes, totalBytes }) => seen.push([doneBytes, totalBytes]),
    });
    const facts = (path: string, bytes: Buffer) => ({
      ...{ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) },
      cid: makeBlocks(bytes, { profile: 'unixfs-v1-2025' }).cid,
    });
    expect(draft.files).toEqual([facts('config.json', small), facts('onnx/model.onnx', big)]);
    expect(seen.at(-1)).toEqual([small.length + big.length, small.length + big.length]);
  });

  it.each([
    ['as git-lfs writes it', 'version https://git-lfs.github.com/spec/v1\n'],
    ['with the line endings of Windows', 'version https://git-lfs.github.com/spec/v1\r\n'],
    ['of before its first release', 'version https://hawser.github.com/spec/v1\n'],
  ])('K38 refuses a Git LFS pointer %s', async (_, line) => {
    await writeFile(join(folder, 'w.bin'), `${line}oid sha256:${'a'.repeat(64)}\nsize 5\n`);
    await expect(draftFromFolder(folder, { include: [], signal })).rejects.toThrow('"w.bin" is a Git LFS pointer');
  });

  it('names the state by its content: the same files have the same version', async () => {
    const version = async (): Promise<string> => (await draftFromFolder(folder, { include: [], signal })).version;
    const before = await version();
    expect(before).toMatch(/^[0-9a-f]{16}$/);
    expect(await version()).toBe(before);
    await writeFile(join(folder, 'config.json'), '{"a":2}');
    expect(await version()).not.toBe(before);
  });

  it('takes links to files as files, and follows no link to a folder', async () => {
    await symlink(join(folder, 'config.json'), join(folder, 'linked.json'));
    await symlink(folder, join(folder, 'loop'));
    const { files } = await draftFromFolder(folder, { include: [], signal });
    expect(files.map(({ path }) => path)).toEqual(['config.json', 'linked.json', 'onnx/model.onnx']);
  });

  it('takes only files that match, and refuses a selection without files', async () => {
    const { files } = await draftFromFolder(folder, { include: ['onnx/*'], signal });
    expect(files.map(({ path }) => path)).toEqual(['onnx/model.onnx']);
    await expect(draftFromFolder(folder, { include: ['*.gguf'], signal })).rejects.toThrow('that matches "*.gguf"');
    await expect(draftFromFolder(join(folder, 'nowhere'), { include: [], signal })).rejects.toThrow('ENOENT');
  });

  it('K08 refuses a name that is unsafe on some host, and suggests to rename or exclude it', async () => {
    await writeFile(join(folder, 'aux.onnx'), 'x');
    await expect(draftFromFolder(folder, { include: [], signal })).rejects.toThrow(
      '"aux.onnx" has the reserved name "aux.onnx": rename it, or leave it out with --exclude',
    );
  });

  it('stops when it is told to', async () => {
    await expect(
      draftFromFolder(folder, { include: [], signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
  });
});
