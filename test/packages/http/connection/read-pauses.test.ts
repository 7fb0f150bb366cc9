import { describe, expect, it } from '@jest/globals';
import { ReadPauses } from '#http/connection/read-pauses';
import { KIB, MIB } from '#core/units';

/** Reads of a body, each of so many bytes after so many milliseconds. */
interface Arrival {
  readonly everyMs: number;
  readonly bytes: number;
}

/** @returns the pause after each read, while every read reaches the consumer before the next one */
function pausesOf(pauses: ReadPauses, fromMs: number, count: number, { everyMs, bytes }: Arrival): number[] {
  return Array.from({ length: count }, (_, index) => {
    const pauseMs = pauses.after(bytes, bytes, fromMs + (index + 1) * everyMs);
    pauses.passed(bytes);
    return pauseMs;
  });
}

const PACKETS: Arrival = { everyMs: 2, bytes: 1448 };

function slowBody(lengthBytes: number | undefined): ReadPauses {
  const pauses = new ReadPauses();
  pauses.begin(lengthBytes, 0);
  return pauses;
}

describe('pauses between the reads of a body', () => {
  it('are none before the rate is measured, and then at most 40 ms', () => {
    const found = pausesOf(slowBody(MIB), 0, 100, PACKETS);
    expect(found.slice(0, 49)).toEqual(Array(49).fill(0));
    expect(Math.min(...found.slice(50))).toBeGreaterThan(0);
    expect(Math.max(...found)).toBeLessThanOrEqual(40);
  });

  it('end at multiples of 20 ms, so that those of several connections end together', () => {
    const pauses = slowBody(MIB);
    pausesOf(pauses, 0, 60, PACKETS);
    for (const now of [130, 137.5, 141, 159]) expect((now + pauses.after(1448, 1448, now)) % 20).toBeCloseTo(0, 6);
  });

  it('are shorter on a faster link: about 32 KiB come meanwhile', () => {
    const pauses = slowBody(64 * MIB);
    const found = pausesOf(pauses, 0, 200, { everyMs: 1, bytes: 2896 });
    expect(found.at(-1)).toBeCloseTo((32 * KIB) / 2896, 3);
  });

  it('are none on a link of more than 4 MiB/s, nor where the length of the body is not known', () => {
    expect(pausesOf(slowBody(64 * MIB), 0, 200, { everyMs: 0.25, bytes: 1448 }).every((ms) => ms === 0)).toBe(true);
    expect(pausesOf(slowBody(undefined), 0, 200, PACKETS).every((ms) => ms === 0)).toBe(true);
  });

  it('are none for the last 48 KiB of a body, and for a short one', () => {
    const found = pausesOf(slowBody(300 * KIB), 0, Math.ceil((300 * KIB) / 1448), PACKETS);
    expect(found.slice(-33).every((ms) => ms === 0)).toBe(true);
    expect(found.slice(60, -40).every((ms) => ms > 0)).toBe(true);
    expect(pausesOf(slowBody(48 * KIB), 0, 34, { everyMs: 50, bytes: 1448 }).every((ms) => ms === 0)).toBe(true);
  });

  it('end when 48 KiB have come in one of them, until the rate is measured again', () => {
    const pauses = slowBody(64 * MIB);
    pausesOf(pauses, 0, 60, PACKETS);
    expect(pauses.after(48 * KIB, 48 * KIB, 160)).toBe(0);
    pauses.passed(48 * KIB);
    expect(pausesOf(pauses, 160, 49, PACKETS).every((ms) => ms === 0)).toBe(true);
  });

  it('keep the rate of the body before on the connection', () => {
    const pauses = slowBody(MIB);
    pausesOf(pauses, 0, 60, PACKETS);
    pauses.begin(MIB, 5000);
    expect(pauses.after(1448, 1448, 5001)).toBeGreaterThan(0);
  });
});
