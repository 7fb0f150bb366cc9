import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { uptime } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { HOUR_MS, SECOND_MS } from '#core/units';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { processIdentity, provablyGone } from '#os/lease/process-identity';

/** A Linux machine of this number; the rest of its files are ours. */
const machineOf = (id: string): FileCalls => ({
  ...nodeFiles,
  readFile: ((path: string, ...more: []) =>
    path === '/etc/machine-id'
      ? Promise.resolve(`${id}\n`)
      : nodeFiles.readFile(path, ...more)) as FileCalls['readFile'],
});

const MACHINE = machineOf('a'.repeat(32));
const OTHER_BOOT = { place: '00000000-0000-0000-0000-000000000000/4026531836' };
const beforeThisBoot = (): number => Date.now() - uptime() * SECOND_MS - HOUR_MS;

describe('the proof that a process is gone', () => {
  it('is there once a process of this boot and namespace has ended', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const here = await processIdentity(nodeFiles);
    expect(await provablyGone(nodeFiles, here, Date.now())).toBe(false);
    expect(await provablyGone(nodeFiles, { ...here, pid: child.pid! }, Date.now())).toBe(true);
    expect(await provablyGone(nodeFiles, { ...here, started: '1' }, Date.now())).toBe(true);
  });

  it('G19 is there for every process of this machine from before it was started', async () => {
    const before = { ...(await processIdentity(MACHINE)), ...OTHER_BOOT };
    expect(await provablyGone(MACHINE, before, beforeThisBoot())).toBe(true);
  });

  it.each([
    ['of another boot that gave a sign of life since: a copy of this machine', MACHINE, {}, Date.now()],
    ['of another machine', machineOf('b'.repeat(32)), {}, beforeThisBoot()],
    ['of another boot where machines have no number', machineOf('uninitialized'), {}, beforeThisBoot()],
    ['of a record that names no machine', MACHINE, { machine: '' }, beforeThisBoot()],
    ['of a record that names no boot', MACHINE, { place: '' }, beforeThisBoot()],
  ])('is not there for a process %s', async (_what, fs, more, aliveAtMs) => {
    const other = { ...(await processIdentity(MACHINE)), ...OTHER_BOOT, ...more };
    expect(await provablyGone(fs, other, aliveAtMs)).toBe(false);
  });

  it('is not there for a process that is hidden from us, as those of other users may be', async () => {
    const absent = Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    const isHidden = (path: unknown): boolean => String(path).startsWith(`/proc/${process.ppid}`);
    const readFile = ((path: string, ...more: []) =>
      isHidden(path) ? Promise.reject(absent) : nodeFiles.readFile(path, ...more)) as FileCalls['readFile'];
    const stat = ((path: string) =>
      isHidden(path) ? Promise.reject(absent) : nodeFiles.stat(path)) as FileCalls['stat'];
    const fs = { ...nodeFiles, readFile, stat };
    const other = { ...(await processIdentity(nodeFiles)), pid: process.ppid, started: 'another start' };
    expect(await provablyGone(fs, other, Date.now())).toBe(false);
    expect(await provablyGone(nodeFiles, other, Date.now())).toBe(true);
  });

  it('is not there for a process of this boot in another namespace, such as a container', async () => {
    const here = await processIdentity(nodeFiles);
    const place = here.place.replace(/\d+$/, '1');
    expect(await provablyGone(nodeFiles, { ...here, place, pid: 2 ** 22 + 1 }, beforeThisBoot())).toBe(false);
  });
});
