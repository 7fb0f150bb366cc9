import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { MIB } from '#core/units';
import { createDagBuilder } from '#content/dag/dag-builder';
import { compareDigests, digestFile, startDigests } from '#content/digest/digests';
import { createFileDigester } from '#content/digest/file-digester';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'digests-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('digests', () => {
  it('EX3 agree with published values', () => {
    const running = startDigests(['md5', 'sha1', 'sha256', 'sha512', 'git'], { sizeBytes: 3 });
    running.update(Buffer.from('abc'));
    expect(running.finish()).toEqual({
      sizeBytes: 3,
      digests: {
        md5: '900150983cd24fb0d6963f7d28e17f72',
        sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
        sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
        sha512:
          'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
        git: 'f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f',
      },
    });
  });

  it('EX3 hash an empty file', async () => {
    const path = join(folder, 'empty');
    await writeFile(path, '');
    const { digests } = await digestFile(path, ['sha256', 'git']);
    expect(digests).toEqual({
      sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      git: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
    });
  });

  it('EX3 hash a file on disk as git does, and say how far they are', async () => {
    const path = join(folder, 'file');
    const bytes = randomBytes(2 * MIB + 17);
    await writeFile(path, bytes);
    const seen: number[] = [];
    const result = await digestFile(path, ['git', 'sha256'], { onProgress: (done) => seen.push(done) });
    expect(result.digests.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(result.digests.git).toBe(execFileSync('git', ['hash-object', '--no-filters', path]).toString().trim());
    expect(seen.at(-1)).toBe(bytes.length);
    await expect(digestFile(path, ['md5'], { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    await expect(digestFile(join(folder, 'absent'), ['md5'])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('need the length for git, and hold it against what came', () => {
    expect(() => startDigests(['git'])).toThrow(/sizeBytes/);
    const running = startDigests(['git'], { sizeBytes: 5 });
    running.update(Buffer.from('abc'));
    expect(() => running.finish()).toThrow(/5 bytes were announced and 3 came/);
  });

  it('compare by the strongest algorithm first, without regard to case', () => {
    expect(compareDigests({ sha256: 'AB', md5: 'cd' }, { sha256: 'ab', md5: 'cd' })).toBeUndefined();
    expect(compareDigests({ md5: 'x', sha256: 'y' }, { md5: 'n', sha256: 'm' })).toEqual({
      algorithm: 'sha256',
      expected: 'y',
      actual: 'm',
    });
  });

  it('count one that was not computed as a mismatch', () => {
    expect(compareDigests({ sha512: 'ab' }, { sha256: 'cd' })).toMatchObject({
      algorithm: 'sha512',
      actual: undefined,
    });
  });
});

describe('createFileDigester', () => {
  it('gives digests and DAG of the whole in any slicing (property)', () => {
    const file = randomBytes(3 * MIB + 5);
    const profiles = fc.constantFrom('unixfs-v1-2025' as const, 'unixfs-v0-2015' as const);
    const edges = [0, MIB / 4, MIB / 2, MIB, 2 * MIB, 3 * MIB, file.length];
    const atEdges = fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -2, max: 2 }));
    const cutAt = fc.oneof(
      fc.nat(file.length),
      atEdges.map(([edge, by]) => Math.min(file.length, Math.max(0, edge + by))),
    );
    fc.assert(
      fc.property(profiles, fc.array(cutAt, { maxLength: 20 }), (dagProfile, cuts) => {
        const whole = createDagBuilder(dagProfile);
        whole.update(file);
        const digester = createFileDigester({ algorithms: ['sha256', 'git'], dagProfile, sizeBytes: file.length });
        const borders = [0, ...cuts.sort((a, b) => a - b), file.length];
        for (let i = 1; i < borders.length; i += 1) digester.update(file.subarray(borders[i - 1]!, borders[i]!));
        const result = digester.finish();
        expect(result.dag!.cid).toBe(whole.finish().cid);
        expect(result.sizeBytes).toBe(file.length);
        expect(result.digests.sha256).toBe(createHash('sha256').update(file).digest('hex'));
      }),
      { numRuns: 40 },
    );
  });

  it('makes no DAG unless it is asked to', () => {
    expect(createFileDigester({ algorithms: [] }).finish()).toEqual({ digests: {}, sizeBytes: 0, dag: undefined });
  });
});
