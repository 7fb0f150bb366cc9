import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { holdIdentity } from '../../../apps/worker/worker-identity.ts';

describe('worker identity', () => {
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-identity-'));
  });

  afterEach(() => rm(home, { recursive: true }));

  const path = () => join(home, 'worker', 'identity-0.json');
  const change = async (parts: object): Promise<void> =>
    writeFile(path(), JSON.stringify({ ...JSON.parse(await readFile(path(), 'utf8')), ...parts }));

  it('is the same after a restart, with a new boot', async () => {
    const first = await holdIdentity(home);
    await first.release();
    await first.release();
    const second = await holdIdentity(home);
    expect(second.workerId).toBe(first.workerId);
    expect(second.bootId).not.toBe(first.bootId);
    await second.release();
  });

  it('is another one for a second worker that runs beside the first', async () => {
    const first = await holdIdentity(home);
    const second = await holdIdentity(home);
    expect(second.workerId).not.toBe(first.workerId);
    await first.release();
    await second.release();
  });

  it.each([
    ['was killed', { pid: 2 ** 22 + 1 }],
    ['was killed and whose number another process has', { startedAt: 'long ago' }],
  ])('is taken over from a worker that %s', async (_what, parts) => {
    const dead = await holdIdentity(home);
    await change(parts);
    const heir = await holdIdentity(home);
    expect(heir.workerId).toBe(dead.workerId);
    await heir.release();
  });

  it('on a shared folder stays with a worker of another machine while that one touches it', async () => {
    const foreign = await holdIdentity(home);
    await change({ machine: 'elsewhere' });
    const beside = await holdIdentity(home);
    expect(beside.workerId).not.toBe(foreign.workerId);
    await beside.release();
    const anHourAgo = new Date(Date.now() - 3_600_000);
    await utimes(path(), anHourAgo, anHourAgo);
    const heir = await holdIdentity(home);
    expect(heir.workerId).toBe(foreign.workerId);
    await heir.release();
  });

  it('goes to exactly one of several that find the same dead holder', async () => {
    const dead = await holdIdentity(home);
    await change({ pid: 2 ** 22 + 1 });
    const heirs = await Promise.all(Array.from({ length: 5 }, () => holdIdentity(home)));
    expect(heirs.filter((heir) => heir.workerId === dead.workerId).length).toBeLessThanOrEqual(1);
    expect(new Set(heirs.map((heir) => heir.workerId)).size).toBe(5);
    await Promise.all(heirs.map((heir) => heir.release()));
  });

  describe('where the system does not tell when a process began', () => {
    const untold = (): Promise<undefined> => Promise.resolve(undefined);

    it('is another one for a second worker, in this process or in another that runs', async () => {
      const first = await holdIdentity(home, untold);
      const second = await holdIdentity(home, untold);
      expect(second.workerId).not.toBe(first.workerId);
      await change({ pid: process.ppid });
      const third = await holdIdentity(home, untold);
      expect(new Set([first.workerId, second.workerId, third.workerId]).size).toBe(3);
      for (const identity of [first, second, third]) await identity.release();
    });

    it('is taken over from a worker whose process number is free, or is our own', async () => {
      const dead = await holdIdentity(home, untold);
      await change({ pid: 2 ** 22 + 1 });
      const heir = await holdIdentity(home, untold);
      expect(heir.workerId).toBe(dead.workerId);
      await heir.release();
      await change({ pid: process.pid });
      const restarted = await holdIdentity(home, untold);
      expect(restarted.workerId).toBe(dead.workerId);
      await restarted.release();
    });
  });

  it('is never left behind for a new one because it cannot be read', async () => {
    await mkdir(path(), { recursive: true });
    await expect(holdIdentity(home)).rejects.toMatchObject({ name: 'StorageError', path: path() });
  });

  it('survives a half-written file', async () => {
    const first = await holdIdentity(home);
    await writeFile(path(), '{"workerId":');
    const second = await holdIdentity(home);
    expect(second.workerId).not.toBe(first.workerId);
    await second.release();
  });
});
