import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY_MS, HOUR_MS, KIB, MIB } from '#core/units';
import { nodeFiles } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { unlinkIfPresent } from '#os/write-file';

/** What may be deleted of a folder of the hub mirror. */
export interface MirrorLimits {
  /** Of all files, each counted in whole blocks; bytes. */
  readonly maxBytes: number;
  /** Files that were not used for longer are deleted, milliseconds. */
  readonly maxIdleMs: number;
}

export const MIRROR_LIMITS: MirrorLimits = { maxBytes: 64 * MIB, maxIdleMs: 90 * DAY_MS };

/** Most file systems give a file whole blocks of this length. */
const BLOCK_BYTES = 4 * KIB;
/** A temporary file of this age was left by a crash. */
const TEMPORARY_MS = HOUR_MS;

export interface MirrorUse {
  /** Whether the file says something about content that is in the store; such a file stays, whatever the limits. */
  readonly answers: (path: string) => Promise<boolean>;
  /** When this process used the file last, milliseconds since 1970; undefined: not known, its time on the disk counts. */
  readonly usedAtMs: (path: string) => number | undefined;
}

interface KeptFile {
  readonly path: string;
  readonly bytes: number;
  readonly usedAtMs: number;
}

/**
 * Deletes files that were not used for too long, and the least recently used ones of those that take too much space. A time in the future is
 * not old, so a wrong clock deletes nothing by age.
 *
 * @param nowMs milliseconds since 1970
 * @throws the error of the file system; a folder that is not there is empty
 */
export async function pruneMirror(
  folder: string,
  { maxBytes, maxIdleMs }: MirrorLimits,
  nowMs: number,
  { answers, usedAtMs }: MirrorUse,
): Promise<void> {
  const files = await keptFiles(folder, nowMs, usedAtMs);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
    if (bytes <= maxBytes && nowMs - file.usedAtMs <= maxIdleMs) return;
    if (await answers(file.path)) continue;
    await unlinkIfPresent(nodeFiles, file.path);
    bytes -= file.bytes;
  }
}

/** Deletes temporary files of crashes, and lists the others. */
async function keptFiles(folder: string, nowMs: number, usedAtMs: MirrorUse['usedAtMs']): Promise<KeptFile[]> {
  const files: KeptFile[] = [];
  for (const name of (await ifPresent(readdir(folder))) ?? []) {
    const path = join(folder, name);
    const stat = await ifPresent(lstat(path));
    if (stat?.isFile() !== true) continue;
    if (name.startsWith('.') && name.endsWith('.tmp')) {
      if (nowMs - stat.mtimeMs > TEMPORARY_MS) await unlinkIfPresent(nodeFiles, path);
      continue;
    }
    const bytes = Math.ceil(stat.size / BLOCK_BYTES) * BLOCK_BYTES;
    files.push({ path, bytes, usedAtMs: Math.max(stat.mtimeMs, usedAtMs(path) ?? 0) });
  }
  return files;
}
