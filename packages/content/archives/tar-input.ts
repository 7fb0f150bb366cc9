import type { ReadAt } from '../formats/read-at.ts';
import type { TarInput } from './read-tar.ts';

/** A tar that can be read anywhere: what is passed over is never read. */
export function randomAccessInput(readAt: ReadAt, sizeBytes: number): TarInput {
  let position = 0;
  const read = async (length: number): Promise<Uint8Array> => {
    const bytes = await readAt(position, Math.min(length, sizeBytes - position));
    position += bytes.length;
    return bytes;
  };
  return {
    position: () => position,
    read,
    readSome: read,
    async skip(length) {
      const skipped = Math.min(length, sizeBytes - position);
      position += skipped;
      return skipped;
    },
  };
}

/** A tar that comes as a stream; what is passed over is read and dropped. */
export function streamInput(stream: AsyncIterable<Uint8Array>): TarInput & { close(): Promise<void> } {
  const iterator = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let position = 0;
  const take = async (most: number): Promise<Uint8Array | undefined> => {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return undefined;
      rest = next.value;
    }
    const part = rest.subarray(0, most);
    rest = rest.subarray(part.length);
    position += part.length;
    return part;
  };
  return {
    position: () => position,
    async read(length) {
      const first = await take(length);
      if (first === undefined || first.length === length) return first ?? new Uint8Array(0);
      const bytes = new Uint8Array(length);
      bytes.set(first);
      let done = first.length;
      for (let part = await take(length - done); part !== undefined; part = await take(length - done)) {
        bytes.set(part, done);
        done += part.length;
        if (done === length) break;
      }
      return bytes.subarray(0, done);
    },
    async readSome(most) {
      return (await take(most)) ?? new Uint8Array(0);
    },
    async skip(length) {
      let skipped = 0;
      while (skipped < length) {
        const part = await take(length - skipped);
        if (part === undefined) break;
        skipped += part.length;
      }
      return skipped;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
