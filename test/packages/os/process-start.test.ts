import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { processStart, startTicks } from '#os/process-start';

const answering = (text: string | Error): FileCalls => ({
  ...nodeFiles,
  readFile: (() => (text instanceof Error ? Promise.reject(text) : Promise.resolve(text))) as FileCalls['readFile'],
});
const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** A line as the kernel writes it: number, name, state, 18 fields, start. */
const line = (name: string, state: string): string =>
  `42 (${name}) ${state} ${Array.from({ length: 18 }, (_, n) => n).join(' ')} 987654 0 0`;

describe('the start of a process', () => {
  it('stays the same while it lives, and is unknown once it is gone', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    const start = await processStart(child.pid!);
    expect(start).toBeDefined();
    expect(await processStart(child.pid!)).toBe(start);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await processStart(child.pid!)).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN])('is unknown for %p, which names no process', async (pid) => {
    expect(await startTicks(pid)).toBeUndefined();
  });

  it('is read behind a name with spaces and brackets', async () => {
    expect(await startTicks(42, answering(line('a) R 1 (b', 'S')))).toBe('987654');
  });

  it.each(['Z', 'X'])('is unknown in state %s: such a process does nothing more', async (state) => {
    expect(await startTicks(42, answering(line('node', state)))).toBeUndefined();
  });

  it.each(['ENOENT', 'ESRCH'])('is unknown when the system says %s', async (code) => {
    expect(await startTicks(42, answering(failure(code)))).toBeUndefined();
  });

  it('is never taken for unknown when the system does not tell', async () => {
    await expect(startTicks(42, answering(failure('EMFILE')))).rejects.toThrow('EMFILE');
  });
});
