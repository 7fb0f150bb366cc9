import { createHash } from 'node:crypto';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { DAY_MS, HOUR_MS, KIB, MINUTE_MS } from '#core/units';
import { mirrorFiles, type MirrorRevision } from '#serve/pull/mirror-files';
import { MIRROR_LIMITS, type MirrorLimits } from '#serve/pull/prune-mirror';
import { until } from '../../helpers/until.ts';
import { temporaryFolder } from '../store/temp-store.ts';
import { cleansUp } from './serve-kit.ts';

cleansUp();

/** Lists and branches of this test have less than a block each. */
const BLOCK_BYTES = 4 * KIB;

const hashOf = (algorithm: string, name: string): string => createHash(algorithm).update(name).digest('hex');

/** What the hub says of `owner/NAME`: a large file of its own, and a small one that all repositories have. */
const revisionOf = (name: string): MirrorRevision => ({
  commit: hashOf('sha1', name),
  files: [
    { path: 'model.bin', sizeBytes: 9, sha256: hashOf('sha256', name) },
    { path: '.gitattributes', sizeBytes: 1, git: hashOf('sha1', 'attributes') },
  ],
});

/** A folder of the mirror, into which the hub describes one repository after another; its clock is ahead of that of the disk. */
async function folderOf(limits: Partial<MirrorLimits>, inStore: readonly string[] = []) {
  const folder = await temporaryFolder();
  let nowMs = Date.now();
  const here = new Set([...inStore.map((name) => hashOf('sha256', name)), hashOf('sha1', 'attributes')]);
  const open = () =>
    mirrorFiles({
      ...{ folder, logger: silentLogger, now: () => nowMs, limits: { ...MIRROR_LIMITS, ...limits } },
      isHere: async ({ sha256, git }) => here.has(sha256 ?? git!),
    });
  let files = open();
  return {
    folder,
    keep: (name: string): Promise<void> => files.keep(`model/acme/${name}`, 'main', revisionOf(name)),
    async isKept(name: string): Promise<boolean> {
      const commit = await files.commitOf(`model/acme/${name}`, 'main');
      return commit !== undefined && (await files.revision(`model/acme/${name}`, commit)) !== undefined;
    },
    async use(name: string): Promise<void> {
      await files.noteUse('commit', `model/acme/${name}`, revisionOf(name).commit);
      await files.noteUse('ref', `model/acme/${name}`, 'main');
    },
    pass: (ms: number) => void (nowMs += ms),
    restart: () => void (files = open()),
  };
}

describe('what is kept of the answers of a hub', () => {
  it('EX5 is deleted after 90 days without use, and stays where it was used meanwhile', async () => {
    const { keep, use, isKept, pass, restart } = await folderOf({});
    for (const name of ['unused', 'used']) await keep(name);
    pass(60 * DAY_MS);
    await use('used');
    restart();
    pass(31 * DAY_MS);
    await keep('new');
    await until(async () => !(await isKept('unused')), { what: 'the unused description is deleted' });
    expect(await isKept('used')).toBe(true);
    expect(await isKept('new')).toBe(true);
  });

  it('EX5 takes no more space than its limit: what was used least recently goes first', async () => {
    const { keep, isKept, pass } = await folderOf({ maxBytes: 6 * BLOCK_BYTES });
    for (const name of ['first', 'second', 'third', 'fourth']) {
      await keep(name);
      pass(10 * MINUTE_MS);
    }
    await until(async () => !(await isKept('first')), { what: 'the oldest description is deleted' });
    for (const name of ['second', 'third', 'fourth']) expect([name, await isKept(name)]).toEqual([name, true]);
  });

  it('EX5 stays for a repository of which the store has a file, whatever the limits', async () => {
    const { keep, isKept, pass } = await folderOf({ maxBytes: 2 * BLOCK_BYTES }, ['stored']);
    for (const name of ['stored', 'other']) await keep(name);
    pass(91 * DAY_MS);
    await keep('new');
    await until(async () => !(await isKept('other')), { what: 'what the store has nothing of is deleted' });
    expect(await isKept('stored')).toBe(true);
  });

  it('EX5 is cleaned of temporary files that a crash left', async () => {
    const { folder, keep, pass } = await folderOf({});
    await keep('first');
    await writeFile(join(folder, '.ref-1.json.0.tmp'), '');
    pass(2 * HOUR_MS);
    const writing = join(folder, '.ref-2.json.0.tmp');
    await writeFile(writing, '');
    await utimes(writing, new Date(), new Date(Date.now() + 2 * HOUR_MS));
    await keep('second');
    const temporary = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.tmp'));
    await until(async () => (await temporary()).length === 1, { what: 'the old one is deleted' });
    expect(await temporary()).toEqual(['.ref-2.json.0.tmp']);
  });
});
