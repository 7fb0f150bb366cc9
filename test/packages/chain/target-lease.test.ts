import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leasePathOf, partialPathOf } from '#chain/partial-path';
import { leaseTarget } from '#chain/target-lease';
import { processIdentity } from '#os/process-identity';
import { nodeFiles } from '#os/file-calls';

const NEVER = new AbortController().signal;

describe('the lease of a target', () => {
  let home: string;
  let partial: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-lease-'));
    partial = partialPathOf(join(home, 'm.bin'));
  });

  afterEach(() => rm(home, { recursive: true, force: true }));

  const leftBy = (process: object): Promise<void> =>
    writeFile(leasePathOf(partial), JSON.stringify({ token: 't', note: '', host: 'other', process }));

  it('H05 is waited for, with a word about who has it, and leaves nothing behind', async () => {
    const first = await leaseTarget(partial, { signal: NEVER });
    let told = '';
    const second = leaseTarget(partial, {
      signal: NEVER,
      onWaiting: (holder) => {
        told = holder;
        void first.release();
      },
    });
    expect((await second).hasWaited).toBe(true);
    expect(told).toContain(`process ${process.pid} on `);
    await expect(first.assertMine()).rejects.toThrow('another program has taken over');
    await (await second).release();
    expect(existsSync(leasePathOf(partial))).toBe(false);
  });

  it('H05 ends with the signal while it is waited for', async () => {
    const first = await leaseTarget(partial, { signal: NEVER });
    const stop = new AbortController();
    const onWaiting = (): void => stop.abort(new Error('enough'));
    await expect(leaseTarget(partial, { signal: stop.signal, onWaiting })).rejects.toThrow('enough');
    await first.release();
  });

  it('H01 of a process that was killed is taken over at once, with its partial', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const here = await processIdentity(nodeFiles);
    await leftBy({ ...here, pid: child.pid, started: '1' });
    await writeFile(partial, 'bytes');
    const before = (await stat(partial)).ino;
    const lease = await leaseTarget(partial, { signal: NEVER });
    expect([lease.hasWaited, (await stat(partial)).ino]).toEqual([false, before]);
    await lease.release();
  });

  it('H05 HD7 of a holder that only fell silent is taken over with a copy of the bytes, so that it can write no more', async () => {
    await leftBy({ place: 'elsewhere', pid: 1, started: '1' });
    await writeFile(partial, 'bytes');
    const before = (await stat(partial)).ino;
    const lease = await leaseTarget(partial, { signal: NEVER, ttlMs: 300 });
    expect(lease.hasWaited).toBe(true);
    expect((await stat(partial)).ino).not.toBe(before);
    expect(await readFile(partial, 'utf8')).toBe('bytes');
    await lease.release();
  });
});

describe('the path of a partial', () => {
  it('G23 leaves room for every ending, and keeps long names apart', () => {
    const long = `${'模'.repeat(80)}.bin`;
    const path = partialPathOf(join('/models', long));
    expect(Buffer.byteLength(`${basename(path)}.journal.new`)).toBeLessThanOrEqual(255);
    expect(partialPathOf(`/models/${long}2`)).not.toBe(path);
    expect(partialPathOf('/models/m.bin')).toBe('/models/.m.bin.haulier-part');
  });
});
