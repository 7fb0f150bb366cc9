import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { takeServerLock } from '#embedded/server-lock';
import { nodeFiles } from '#os/file-calls';
import { processIdentityOf, processIdentity } from '#os/lease/process-identity';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-lock-'));
  path = join(folder, 'lock.json');
});
afterEach(() => rm(folder, { recursive: true }));

const idle = () => spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
const change = async (edit: (record: { process: object }) => object): Promise<void> =>
  writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')) as { process: object })));

describe('the lock of a server folder', () => {
  it('is refused at once while its owner lives, with the process and what to do', async () => {
    const lock = await takeServerLock(path, 'the folder x');
    await expect(takeServerLock(path, 'the folder x')).rejects.toMatchObject({
      kind: 'busy',
      message: expect.stringMatching(`the folder x is in use by process ${process.pid} on .*: stop that one first`),
    });
    await lock.release();
    await lock.release();
    await (await takeServerLock(path, 'the folder x')).release();
  });

  it('of an owner that is gone is taken over, and its server is stopped first', async () => {
    const server = idle();
    const exited = once(server, 'exit');
    const gone = await takeServerLock(path, 'the folder x');
    await gone.record(server.pid!);
    await change((record) => ({ ...record, process: { ...record.process, started: '1' } }));
    const heir = await takeServerLock(path, 'the folder x');
    expect((await exited)[1]).toBe('SIGINT');
    await heir.release();
    await gone.release();
  });

  it('never signals a process that has the number of the server and began at another time', async () => {
    const other = idle();
    const gone = await takeServerLock(path, 'the folder x');
    const server = { ...(await processIdentityOf(nodeFiles, other.pid!)), started: '1' };
    await change((record) => ({
      ...record,
      process: { ...record.process, started: '1' },
      note: JSON.stringify(server),
    }));
    await (await takeServerLock(path, 'the folder x')).release();
    expect([other.exitCode, other.signalCode]).toEqual([null, null]);
    const ended = once(other, 'exit');
    other.kill('SIGKILL');
    await ended;
    await gone.release();
  });

  it('of an owner in another container is refused when it beats, and the wait is told', async () => {
    const lock = await takeServerLock(path, 'the folder x');
    const { place } = await processIdentity(nodeFiles);
    await change((record) => ({ ...record, process: { ...record.process, place: `${place.split('/')[0]}/1` } }));
    const told: string[] = [];
    const asking = takeServerLock(path, 'the folder x', (step) => told.push(step));
    await expect(asking).rejects.toMatchObject({ kind: 'busy' });
    expect(told).toEqual(['watching the folder x for 15 s: a program may still use it']);
    await lock.release();
  });
});
