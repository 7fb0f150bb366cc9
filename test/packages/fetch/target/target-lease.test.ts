import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { partialPathOf, partialPlaceOf } from '#fetch/target/partial-path';
import { leaseTarget, tidyTarget, type LeaseTargetOptions, type TargetLease } from '#fetch/target/target-lease';
import { nodeFiles } from '#os/file-calls';
import { leasePath } from '#os/lease/leased-partial';
import { processIdentity } from '#os/lease/process-identity';

const NEVER = new AbortController().signal;
/** Silence that ends a lease in these tests; who must stay silent beats much later than that. */
const SOON_MS = 300;
const LATE_MS = 60_000;

describe('the lease of a target', () => {
  let home: string;
  let target: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-lease-'));
    target = join(home, 'm.bin');
  });

  afterEach(() => rm(home, { recursive: true, force: true }));

  const lease = (more: Partial<LeaseTargetOptions> = {}): Promise<TargetLease> =>
    leaseTarget(target, { signal: NEVER, ...more });
  const leaseFile = (): string => leasePath(partialPlaceOf(target));
  const write = async (path: string): Promise<void> => {
    await writeFile(path, 'bytes');
    await writeFile(`${path}.journal`, `journal of ${basename(path)}`);
  };
  const contentOf = async (path: string): Promise<string> =>
    `${await readFile(path)}, ${await readFile(`${path}.journal`)}`;
  const leftBy = (process: object, note: string): Promise<void> =>
    writeFile(leaseFile(), JSON.stringify({ token: randomUUID(), note, host: 'other', process }));

  it('H05 is waited for, with the name of its holder, and leaves no file behind', async () => {
    const first = await lease();
    let told = '';
    const second = lease({
      onWaiting: (holder) => {
        told = holder;
        void first.release();
      },
    });
    expect((await second).hasWaited).toBe(true);
    expect(told).toContain(`process ${process.pid} on `);
    await expect(first.assertMine()).rejects.toThrow('another program has taken over');
    await (await second).release();
    expect(await readdir(home)).toEqual([]);
  });

  it('H05 ends with the signal while it is waited for', async () => {
    const first = await lease();
    const stop = new AbortController();
    const onWaiting = (): void => stop.abort(new Error('enough'));
    await expect(lease({ signal: stop.signal, onWaiting })).rejects.toThrow('enough');
    await first.release();
  });

  it('RE1 H01 continues with the same partial after its release', async () => {
    const first = await lease();
    await write(first.partialPath);
    await first.release();
    const second = await lease();
    expect(second).toMatchObject({ hasWaited: false, resumed: true, partialPath: first.partialPath, salvage: [] });
    await second.discard();
    expect(await readdir(home)).toEqual([]);
  });

  it.each([
    ['H01 of a process that was killed', {}],
    ['G19 of a process before the machine was restarted', { place: '00000000-0000-0000-0000-000000000000/1' }],
  ])('%s is taken over at once, with its partial and not a byte copied', async (_what, where) => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const here = await processIdentity(nodeFiles);
    const partial = partialPathOf(target, '0123abcd');
    await leftBy({ ...here, ...where, pid: child.pid, started: '1' }, basename(partial));
    await (await open(leaseFile(), 'r+').then(async (file) => (await file.utimes(1, 1), file))).close();
    await write(partial);
    const before = (await stat(partial)).ino;
    const heir = await lease();
    expect(heir).toMatchObject({ hasWaited: false, resumed: true, partialPath: partial, salvage: [] });
    expect((await stat(partial)).ino).toBe(before);
    await heir.discard();
    expect(await readdir(home)).toEqual([]);
  });

  describe('H05 HD7 whose holder only fell silent', () => {
    let silent: TargetLease;
    let heir: TargetLease;

    const displace = async (): Promise<void> => {
      heir = await lease({ ttlMs: SOON_MS });
      expect(heir).toMatchObject({ hasWaited: true, resumed: false });
      await write(heir.partialPath);
    };
    const heirsContent = (): string => `bytes, journal of ${basename(heir.partialPath)}`;

    beforeEach(async () => {
      silent = await lease({ ttlMs: LATE_MS });
    });

    it('is taken over with another partial, and the old one only to read from', async () => {
      await write(silent.partialPath);
      await displace();
      expect(heir.partialPath).not.toBe(silent.partialPath);
      expect(heir.salvage).toEqual([silent.partialPath]);
      await heir.discard();
      expect(await readdir(home)).toEqual([]);
    });

    it.each([
      ['without a byte', false],
      ['with bytes', true],
    ])('does not disturb its successor when it wakes up %s, and ends with the reason', async (_what, hasBytes) => {
      if (hasBytes) await write(silent.partialPath);
      await displace();
      await expect(silent.assertMine()).rejects.toMatchObject({ name: 'StorageError', kind: 'busy' });
      if (hasBytes) await write(silent.partialPath);
      await silent.release();
      expect(await contentOf(heir.partialPath)).toBe(heirsContent());
      await heir.assertMine();
      await heir.discard();
      expect(await readdir(home)).toEqual([]);
    });

    it('leaves nothing beside the target when it wakes up after its successor is done', async () => {
      await write(silent.partialPath);
      await displace();
      await heir.discard();
      await writeFile(`${silent.partialPath}.journal`, 'written as its last word');
      await silent.discard();
      expect(await readdir(home)).toEqual([]);
    });

    it('never discards files of its successor', async () => {
      await displace();
      await silent.discard();
      expect(await contentOf(heir.partialPath)).toBe(heirsContent());
      await heir.release();
      const next = await lease();
      expect(next).toMatchObject({ resumed: true, partialPath: heir.partialPath });
      await next.discard();
    });
  });

  it('continues with its own partial and salvages the others when its successor was killed, too', async () => {
    const here = await processIdentity(nodeFiles);
    const [own, other] = [partialPathOf(target, '11111111'), partialPathOf(target, '22222222')];
    for (const path of [own, other]) await write(path);
    await leftBy({ ...here, started: '1' }, basename(own));
    const heir = await lease();
    expect(heir).toMatchObject({ resumed: true, partialPath: own, salvage: [other] });
    await heir.discard();
    expect(await readdir(home)).toEqual([]);
  });

  it('checks that a file is a partial, also when the lease names it', async () => {
    const here = await processIdentity(nodeFiles);
    await leftBy({ ...here, started: '1' }, '.m.bin.haulier-part.lease');
    const heir = await lease();
    expect(heir).toMatchObject({ resumed: false, salvage: [] });
    await heir.release();
  });

  describe('H01 beside a file that is there already', () => {
    const partial = (): string => partialPathOf(target, '0123abcd');
    const leftByDead = async (): Promise<void> =>
      leftBy({ ...(await processIdentity(nodeFiles)), started: '1' }, basename(partial()));

    it('is taken away when its holder was killed right after publishing', async () => {
      await leftByDead();
      await writeFile(`${partial()}.journal`, 'of what was published');
      await tidyTarget(target);
      expect(await readdir(home)).toEqual([]);
    });

    it('stays while it is held, and with a partial that another fetch may continue', async () => {
      const holder = await lease();
      await tidyTarget(target);
      await holder.assertMine();
      await holder.release();
      await leftByDead();
      await write(partial());
      await tidyTarget(target);
      const heir = await lease();
      expect(heir).toMatchObject({ resumed: true, partialPath: partial() });
      await heir.discard();
    });

    it('does not fail the download when it cannot be removed', async () => {
      await tidyTarget(join(home, 'absent', 'm.bin'));
    });
  });

  it('never fails after the work is done, and logs what it could not clean up', async () => {
    const warned: object[] = [];
    const ignore = (): void => undefined;
    const logger = { debug: ignore, info: ignore, error: ignore, warn: (fields: object) => void warned.push(fields) };
    const holder = await lease({ logger });
    await rm(home, { recursive: true });
    await holder.discard();
    expect(warned).toMatchObject([{ path: holder.partialPath }]);
  });
});

describe('the path of a partial', () => {
  it('G23 leaves room for every ending, and keeps long names apart', () => {
    const long = `${'模'.repeat(80)}.bin`;
    const path = partialPathOf(join('/models', long));
    expect(Buffer.byteLength(`${basename(path)}.journal.new`)).toBeLessThanOrEqual(255);
    expect(partialPathOf(`/models/${long}2`)).not.toBe(path);
    expect(partialPathOf('/models/m.bin', '0123abcd')).toBe('/models/.m.bin.haulier-part.0123abcd.part');
    expect(dirname(leasePath(partialPlaceOf('/models/m.bin')))).toBe('/models');
  });
});
