import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { messageOf } from '#core/error-facts';

const run = promisify(execFile);

/** A disk of its own for one host, or why there is none. */
export type SmallDisk = { readonly unmount: () => Promise<void> } | { readonly missing: string };

/**
 * Mounts a file system in memory, with a fixed size, at a folder. What an earlier run that was killed left there is unmounted first.
 *
 * @param sizeBytes of the whole file system
 */
export async function mountSmallDisk(folder: string, sizeBytes: number): Promise<SmallDisk> {
  await unmount(folder);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=700`, 'tmpfs', folder]);
  } catch (error) {
    return { missing: `no small disk could be mounted here (${firstLine(messageOf(error))})` };
  }
  return { unmount: () => unmount(folder) };
}

/** Fails without harm where nothing is mounted, and where this user may not. */
async function unmount(folder: string): Promise<void> {
  await run('umount', [folder]).catch(() => undefined);
}

/** `Command failed: …` of Node stands on the first line, what the program said on the next. */
const firstLine = (message: string): string => {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  return lines[1] ?? lines[0] ?? '';
};
