import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nodeFiles } from '#os/file-calls';
import { readIfPresent } from '#os/if-present';
import { writeDurably } from '#os/write-file';

/**
 * Numbers this start of the worker: higher than every number before, also when the clock was set back, and when the home comes from a
 * backup. The API tells by it which batches of events are of long ago.
 *
 * @throws StorageError when it cannot be kept
 */
export async function nextBootNumber(home: string, now: number): Promise<number> {
  const path = join(home, 'worker', 'boot');
  const before = Number((await readIfPresent(path)) ?? 0);
  const next = Math.max(Number.isSafeInteger(before) ? before + 1 : 0, now);
  await mkdir(dirname(path), { recursive: true });
  await writeDurably(nodeFiles, path, String(next), { mode: 0o600 });
  return next;
}
