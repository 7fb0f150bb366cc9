import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#os/clock';
import { openStore, type Store, type StoreOptions } from '#store/open-store';
import type { PublishRequest } from '#store/blobs/publish';
import type { ViewRequest } from '#store/models/model-views';

const folders: string[] = [];

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-store-'));
  folders.push(folder);
  return folder;
}

export async function removeTemporaryFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

export const temporaryStore = async (options: Partial<StoreOptions> = {}): Promise<Store> =>
  openStore({ home: await temporaryFolder(), ...options });

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Writes bytes as a partial of the store and describes them. */
export async function partialOf(store: Store, bytes: Uint8Array, view?: ViewRequest): Promise<PublishRequest> {
  const partialPath = join(store.paths.partials, `${randomBytes(6).toString('hex')}.part`);
  await writeFile(partialPath, bytes);
  return { partialPath, sha256: sha256Of(bytes), sizeBytes: bytes.length, ...(view === undefined ? {} : { view }) };
}

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** A clock that moves only when it is told to; `wait` moves it by itself. */
export function manualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    monotonic: () => nowMs - startMs,
    advance: (ms) => {
      nowMs += ms;
    },
    wait: async (ms, signal) => {
      signal?.throwIfAborted();
      nowMs += ms;
    },
  };
}
