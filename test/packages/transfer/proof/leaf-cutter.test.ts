import { fc } from '../../../helpers/properties.ts';
import { describe, expect, it } from '@jest/globals';
import type { Grid } from '#transfer/plan/grid';
import { LeafCutter, SpanEnded } from '#transfer/proof/leaf-cutter';
import { LeafWriter } from '#transfer/disk/leaf-writer';
import type { OpenFile } from '#transfer/disk/file-operations';
import { SpanBoard } from '#transfer/plan/span-board';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

/** Units of any lengths over known bytes; a unit is accepted when it equals them. */
function gridOf(lengths: readonly number[], bytes: Uint8Array): Grid {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return {
    sizeBytes: starts.at(-1)!,
    count: lengths.length,
    table: undefined,
    maxUnitBytes: Math.max(...lengths),
    hash: new Uint8Array(32),
    start: (i) => starts[i]!,
    end: (i) => starts[i + 1]!,
    accepts: (i, unit) => Buffer.from(unit).equals(bytes.subarray(starts[i], starts[i + 1])),
  };
}

const memoryFile = (memory: Uint8Array): OpenFile => ({
  descriptor: undefined,
  sizeBytes: memory.length,
  read: () => Promise.resolve(0),
  write: async (buffer, position) => {
    await Promise.resolve();
    memory.set(buffer, position);
    return buffer.length;
  },
  truncate: () => Promise.resolve(),
  datasync: () => Promise.resolve(),
  close: () => Promise.resolve(),
});

const layouts = fc.array(fc.oneof(fc.constantFrom(1, 1, 2), fc.integer({ min: 1, max: 300 })), {
  minLength: 1,
  maxLength: 30,
});
/** Chunks of nothing and of single bytes among others; the last one is not empty, or the stream would never end. */
const slicings = fc
  .array(fc.oneof(fc.constantFrom(0, 1, 1, 2), fc.integer({ min: 0, max: 500 })), { maxLength: 40 })
  .map((slices) => [...slices, 97]);

/** After which chunks of a slow stream what is proven is handed over. */
const pauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });

describe('the cutter', () => {
  it('writes exactly the good units, whatever the layout, the slicing and the damage', async () => {
    await fc.assert(
      fc.asyncProperty(
        layouts,
        slicings,
        fc.array(fc.nat()),
        fc.nat(),
        pauses,
        async (lengths, slices, spots, cut, slow) => {
          const size = lengths.reduce((a, b) => a + b);
          const bytes = bytesOf(size);
          const grid = gridOf(lengths, bytes);
          const board = new SpanBoard(grid);
          const memory = new Uint8Array(size).fill(0xaa);
          const nothing = () => undefined;
          const writer = new LeafWriter(memoryFile(memory), '', board, {
            accepted: nothing,
            committed: nothing,
            failed: (error) => expect(error).toBeUndefined(),
          });
          const sent = Buffer.from(bytes).subarray(0, cut % (size + 1));
          const damaged = Buffer.from(sent);
          for (const spot of spots) if (damaged.length > 0) damaged[spot % damaged.length]! ^= 1;
          let wasted = 0;
          const bad: number[] = [];
          const claim = board.claim(0, Infinity)!;
          const cutter = new LeafCutter(board, writer, claim, 0, {
            bad: (unit) => void bad.push(unit),
            wasted: (count) => void (wasted += count),
          });
          const chunk = Buffer.alloc(500);
          for (let at = 0, i = 0; at < damaged.length; i += 1) {
            const length = Math.min(slices[i % slices.length]!, damaged.length - at);
            chunk.set(damaged.subarray(at, at + length));
            cutter.push(chunk.subarray(0, length));
            chunk.fill(0x55);
            if (slow[i % slow.length]) cutter.handOver();
            at += length;
          }
          cutter.close();
          board.release(claim);
          await writer.idle();

          for (let unit = 0; unit < grid.count; unit += 1) {
            const [start, end] = [grid.start(unit), grid.end(unit)];
            const isGood = end <= damaged.length && grid.accepts(unit, damaged.subarray(start, end));
            expect(board.isDone(unit)).toBe(isGood);
            const onDisk = memory.subarray(start, end);
            expect(onDisk).toEqual(isGood ? new Uint8Array(bytes.subarray(start, end)) : onDisk.slice().fill(0xaa));
          }
          expect(cutter.acceptedBytes).toBe(board.doneBytes);
          expect(wasted).toBe(damaged.length - board.doneBytes);
          expect(board.freeBytes).toBe(size - board.doneBytes);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('writes the proven bytes of a slow stream, and keeps the unit that has begun', async () => {
    const bytes = bytesOf(30);
    const board = new SpanBoard(gridOf([10, 10, 10], bytes));
    const nothing = () => undefined;
    const memory = new Uint8Array(30);
    const events = { accepted: nothing, committed: nothing, failed: nothing };
    const writer = new LeafWriter(memoryFile(memory), '', board, events);
    const cutter = new LeafCutter(board, writer, board.claim(0, Infinity)!, 0, { bad: nothing, wasted: nothing });
    cutter.push(bytes.subarray(0, 14));
    expect(board.doneBytes).toBe(0);
    cutter.handOver();
    await writer.idle();
    expect(board.doneBytes).toBe(10);
    cutter.push(bytes.subarray(14));
    cutter.close();
    await writer.idle();
    expect(bytes.equals(memory)).toBe(true);
  });

  it('HR23 ends a stream that continues beyond the claim', () => {
    const bytes = bytesOf(30);
    const board = new SpanBoard(gridOf([10, 10, 10], bytes));
    const writer = new LeafWriter(memoryFile(new Uint8Array(30)), '', board, {
      accepted: () => undefined,
      committed: () => undefined,
      failed: () => undefined,
    });
    const claim = board.claim(0, 10)!;
    const events = { bad: () => undefined, wasted: () => undefined };
    const cutter = new LeafCutter(board, writer, claim, 0, events);
    cutter.push(bytes.subarray(0, 10));
    expect(() => cutter.push(bytes.subarray(10, 11))).toThrow(SpanEnded);
  });
});
