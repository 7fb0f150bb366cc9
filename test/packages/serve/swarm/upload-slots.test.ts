import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { UploadSlots } from '#serve/swarm/upload-slots';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const WINDOW_MS = 3000;
const never = (): AbortSignal => new AbortController().signal;

/** A host that takes so many bytes in each window. */
class Reader {
  bytes = 0;
  isAwaiting = true;
  isBroken = false;
  readonly #perWindow: number;

  constructor(perWindow: number) {
    this.#perWindow = perWindow;
  }

  readonly takenBytes = (): number => this.bytes;
  readonly isAwaited = (): boolean => this.isAwaiting;
  readonly breakOff = (): void => void (this.isBroken = true);
  readonly read = (): void => void (this.bytes += this.#perWindow);
}

/** What hosts that ask get: which of them have begun. */
function slotsWith(readers: readonly Reader[]) {
  const slots = new UploadSlots();
  const begun = new Set<Reader>();
  const ends: Promise<(() => void) | undefined>[] = readers.map(async (reader) => {
    const end = await slots.take(reader, never());
    begun.add(reader);
    return end;
  });
  const window = async (): Promise<void> => {
    // Those that got a slot begin.
    await jest.advanceTimersByTimeAsync(0);
    for (const reader of begun) reader.read();
    await jest.advanceTimersByTimeAsync(WINDOW_MS);
  };
  return { slots, begun, ends, window };
}

describe('slots of uploads', () => {
  it('L35 go from a reader that takes a sixteenth of what the other takes to the next host', async () => {
    const [slow, fast, next] = [new Reader(2 * MIB), new Reader(40 * MIB), new Reader(0)];
    const { slots, begun, window } = slotsWith([slow, fast, next]);
    await window();
    expect([begun.has(next), slots.load]).toEqual([true, 2]);
    expect(slow.isBroken).toBe(false);
  });

  it.each([
    ['takes a quarter of what the other takes', new Reader(10 * MIB)],
    ['takes nothing because nothing is sent', Object.assign(new Reader(0), { isAwaiting: false })],
  ])('L35 stay with a reader that %s', async (_, slow) => {
    const { slots, begun, window } = slotsWith([slow, new Reader(40 * MIB), new Reader(0)]);
    await window();
    await window();
    expect([begun.size, slots.load]).toEqual([2, 3]);
  });

  it('L35 stay with slow readers while no host waits, and come back to those that are slow no more', async () => {
    const readers = [new Reader(0), new Reader(0)];
    const { slots, window } = slotsWith(readers);
    await window();
    expect(slots.load).toBe(2);
    const third = slots.take(new Reader(0), never());
    await window();
    expect([await third, slots.load]).toEqual([expect.any(Function), 1]);
    await slots.take(new Reader(0), never());
    void slots.take(new Reader(0), never());
    for (const reader of readers) reader.bytes += 40 * MIB;
    await window();
    expect(slots.load).toBe(2 + 1);
  });

  it('L35 are for twelve slow readers more; the slowest of further ones is broken off', async () => {
    const readers = Array.from({ length: 14 }, (_, index) => new Reader((index + 1) * KIB));
    const { slots, begun, ends, window } = slotsWith(readers);
    while (begun.size < readers.length) await window();
    void slots.take(new Reader(0), never());
    await window();
    await window();
    expect(readers.map(({ isBroken }) => isBroken)).toEqual(readers.map((_, index) => index < 2));
    for (const end of ends) (await end)!();
    expect(slots.load).toBe(1);
  });
});
