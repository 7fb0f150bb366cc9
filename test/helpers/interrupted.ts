import type { Source } from '#core/source';
import { nodeFileOperations, type FileOperations } from '#transfer/disk/file-operations';

/** A disk that stands still from one moment on, as that of a program that was killed. */
export function mortalDisk(isDead: () => boolean): FileOperations {
  const alive = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return (...args: A): Promise<R> => (isDead() ? Promise.reject(new Error('killed')) : work(...args));
  };
  return {
    ...nodeFileOperations,
    remove: alive(nodeFileOperations.remove),
    replaceSmall: alive(nodeFileOperations.replaceSmall),
    openPrivate: async (path) => {
      const file = await nodeFileOperations.openPrivate(path);
      return { ...file, write: alive(file.write), truncate: alive(file.truncate), datasync: alive(file.datasync) };
    },
  };
}

/** Counts what the response under way has brought, so that an origin breaks off when it is here. */
export function receivedBytes() {
  let bytes = 0;
  let waiting: { readonly bytes: number; readonly wake: () => void } | undefined;
  const reached = (now: number): void => {
    bytes = now;
    if (waiting !== undefined && bytes >= waiting.bytes) waiting.wake();
  };
  const atLeast = (wanted: number): Promise<void> =>
    new Promise((wake) => {
      waiting = { bytes: wanted, wake };
      reached(bytes);
    });
  const counting = (source: Source): Source => ({
    ...source,
    read: (request, sink, signal) => {
      bytes = 0;
      waiting = undefined;
      const write = async (chunk: Uint8Array): Promise<void> => {
        await sink.write(chunk);
        reached(bytes + chunk.length);
      };
      return source.read(request, { head: (head) => sink.head(head), write }, signal);
    },
  });
  return { atLeast, counting };
}
