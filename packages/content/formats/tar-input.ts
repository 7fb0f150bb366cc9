import type { ReadAt } from './read-at.ts';
import { VerifyError } from '#core/failure';
import type { TarInput } from './read-tar.ts';

/** A tar that can be read anywhere: what is passed over is never read. */
export function randomAccessInput(readAt: ReadAt, sizeBytes: number): TarInput {
  let position = 0;
  return {
    position: () => position,
    async read(length) {
      const bytes = await readAt(position, Math.max(0, Math.min(length, sizeBytes - position)));
      position += bytes.length;
      return bytes;
    },
    async skip(length) {
      position += length;
      if (position > sizeBytes) throw truncated();
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
    async skip(length) {
      for (let left = length; left > 0;) {
        const part = await take(left);
        if (part === undefined) throw truncated();
        left -= part.length;
      }
    },
    async close() {
      await iterator.return?.();
    },
  };
}

const truncated = (): VerifyError =>
  new VerifyError('wrong-format', 'the archive ends before its last entry does; it is truncated');
