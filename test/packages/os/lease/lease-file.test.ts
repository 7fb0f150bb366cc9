import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { systemClock } from '#os/clock';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import type { Lease } from '#os/lease/held-lease';
import { tryLease, type LeaseOutcome } from '#os/lease/lease-file';
import { until } from '../../../helpers/until.ts';

const failure = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });
const refusing = (code: string) => (): Promise<never> => Promise.reject(failure(code));
const ELSEWHERE = { machine: '', place: 'elsewhere/1', pid: 1, started: '1' };

describe('a lease file', () => {
  let home: string;
  let path: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-lease-file-'));
    path = join(home, 'x.lease');
  });

  afterEach(() => rm(home, { recursive: true, force: true }));

  const take = (calls: Partial<FileCalls> = {}, ttlMs?: number, warned: object[] = []): Promise<LeaseOutcome> => {
    const logger = { ...silentLogger, warn: (fields: object) => void warned.push(fields) };
    return tryLease({ fs: { ...nodeFiles, ...calls }, clock: systemClock, logger }, path, 'note', undefined, ttlMs);
  };

  const taken = (outcome: LeaseOutcome): Lease => {
    if (!('lease' in outcome)) throw new Error('another process has it');
    return outcome.lease;
  };

  it('can be read by everybody who may use the folder', async () => {
    const lease = taken(await take());
    expect((await stat(path)).mode & 0o777).toBe(0o644 & ~process.umask());
    await lease.release();
  });

  it.each([
    ['EACCES', 'denied'],
    ['EMFILE', 'io'],
  ])('H05 that cannot be read for %s is an error of the disk', async (code, kind) => {
    await writeFile(path, '');
    await expect(take({ readFile: refusing(code) as FileCalls['readFile'] })).rejects.toMatchObject({
      ...{ name: 'StorageError', kind, path },
    });
  });

  it('of a process that is just writing it stays, whatever happens to us', async () => {
    await writeFile(path, '');
    const calls = { open: refusing('EMFILE'), writeFile: refusing('EMFILE') } as Partial<FileCalls>;
    await expect(take(calls)).rejects.toMatchObject({ name: 'StorageError', kind: 'io' });
    expect(await readdir(home)).toEqual(['x.lease']);
  });

  it('G01 whose content finds no space is taken away again', async () => {
    const open = async (...args: Parameters<FileCalls['open']>) =>
      Object.assign(await nodeFiles.open(...args), { writeFile: refusing('ENOSPC') });
    await expect(take({ open: open as FileCalls['open'] })).rejects.toMatchObject({ kind: 'disk-full' });
    expect(await readdir(home)).toEqual([]);
  });

  it('whose token is no UUID has no holder, and its token is part of no path', async () => {
    await writeFile(path, JSON.stringify({ token: '/../../elsewhere', note: '', host: 'other', process: ELSEWHERE }));
    const outcome = await take({}, 0);
    expect(outcome).toMatchObject({ displaced: undefined, displacedIsGone: false });
    await taken(outcome).release();
    expect(await readdir(home)).toEqual([]);
  });

  it('that is a link to nothing counts as held', async () => {
    await symlink('nowhere', path);
    expect(await take()).toMatchObject({ heldBy: undefined });
  });

  it('that cannot be given up expires without its heartbeat and without an error', async () => {
    const warned: object[] = [];
    const lease = taken(await take({ unlink: refusing('EIO') }, undefined, warned));
    await lease.release();
    expect(warned).toMatchObject([{ path }]);
    expect(lease.lost.aborted).toBe(false);
  });

  it('H05 is kept over a beat that fails, and lost when none comes through for its time', async () => {
    let failures = 0;
    let isBroken = true;
    const utimesOrNot: FileCalls['utimes'] = async (...args) => {
      if (isBroken) failures += 1;
      await (isBroken ? Promise.reject(failure('ESTALE')) : nodeFiles.utimes(...args));
    };
    const lease = taken(await take({ utimes: utimesOrNot }, 600));
    await until(() => failures === 1, { what: 'a beat failed' });
    isBroken = false;
    await utimes(path, new Date(0), new Date(0));
    await until(async () => (await stat(path)).mtimeMs > 0, { what: 'the next beat came through' });
    expect(lease.lost.aborted).toBe(false);
    isBroken = true;
    await until(() => lease.lost.aborted, { what: 'it is lost' });
    expect(failures).toBeGreaterThanOrEqual(4);
    expect(lease.lost.reason).toMatchObject({ name: 'StorageError', kind: 'busy' });
    await lease.release();
  });

  it('is not displaced when it beats at the last moment', async () => {
    const record = JSON.stringify({ token: randomUUID(), note: '', host: 'other', process: ELSEWHERE });
    await writeFile(path, record);
    const beatFirst: FileCalls['writeFile'] = async (...args) => {
      await utimes(path, new Date(0), new Date(0));
      await nodeFiles.writeFile(...args);
    };
    expect(await take({ writeFile: beatFirst }, 0)).toMatchObject({ heldBy: { host: 'other' } });
    expect(await readFile(path, 'utf8')).toBe(record);
  });
});
