import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { expectWithin } from '../helpers/within.ts';
import { hubOf } from './hub-of.ts';
import { partialsOf } from './store-contents.ts';

const DISK_BYTES = 48 * MIB;

/** A disk of its own; undefined where this user may not mount one. */
function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'haulier-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    return undefined; // not root, or no right to mount: the test says that it was skipped
  }
}

const disk = mountSmallDisk();
const onSmallDisk = disk === undefined ? describe.skip : describe;

onSmallDisk(`a disk that is full (needs the right to mount a tmpfs)`, () => {
  const middle = sampleFile('middle.bin', 16 * MIB, 'middle');
  const start = sampleFile('start.bin', 2 * MIB, 'start');
  const home = join(disk!, 'home');
  const ballast = join(disk!, 'ballast');
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([middle, start]));
    system = await startSystem({ origin, env: { HAULIER_HOME: home } });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    execFileSync('umount', [disk!]);
    await rm(disk!, { recursive: true });
  });

  const sentOf = ({ path }: SampleFile): number =>
    origin.requests.filter((one) => one.path.includes(path)).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const isFull = ({ status, reason }: { status: string; reason: string }): boolean =>
    status === 'paused' && reason === 'disk_full';

  async function order(file: SampleFile): Promise<string> {
    const name = file.path.replace('.bin', '');
    await system.client.publishVersion(sampleManifest(name, [file]));
    return (await system.client.createDownloads({ model: name, host: 'host-a' })).downloads[0]!.id;
  }

  /** Fills the space that is left on the disk. */
  async function fill(): Promise<void> {
    await expect(writeFile(ballast, Buffer.alloc(DISK_BYTES))).rejects.toMatchObject({ code: 'ENOSPC' });
  }

  it('RE10 G01 G21 in the middle of a file: it pauses with the reason, and goes on by itself when space is freed', async () => {
    const { fault, go } = hold(8 * MIB);
    origin.rules.push({ path: middle.path, fault });
    const id = await order(middle);
    // What is sent may still be on its way to the worker.
    await system.awaitDownload(id, ({ bytes }) => bytes > 0);
    await fill();
    origin.rules.pop();
    go();
    const paused = await system.awaitDownload(id, isFull);
    expect(paused.bytes).toBeGreaterThan(0);
    expect(paused.message).toMatch(/missing|no space/i);
    expect((await partialsOf(home)).length).toBeGreaterThan(0);
    expect(paused.attemptsLeft).toBeGreaterThan(0);

    await rm(ballast);
    const sent = sentOf(middle);
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(await sha256OfFile(done.path!)).toBe(middle.sha256);
    expect(sentOf(middle) - sent).toBeLessThanOrEqual(middle.content.size - paused.bytes);
    expect(new Set(done.tries.map(({ attempt }) => attempt)).size).toBe(1);
  });

  it('RE10 before the first byte: nothing is asked for, and it goes on at once at a resume request', async () => {
    await fill();
    const id = await order(start);
    await system.awaitDownload(id, isFull);
    expect(sentOf(start)).toBe(0);
    await rm(ballast);
    await system.client.resumeDownload(id);
    const done = await expectWithin(25_000, () => system.awaitDownload(id, ({ status }) => status === 'success'));
    expect(await sha256OfFile(done.path!)).toBe(start.sha256);
  });
});
