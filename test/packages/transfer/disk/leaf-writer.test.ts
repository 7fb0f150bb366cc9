import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import type { OpenFile } from '#transfer/disk/file-operations';
import { LeafWriter } from '#transfer/disk/leaf-writer';
import { pieceGrid } from '#transfer/plan/grid';
import { NO_SOURCE, SpanBoard } from '#transfer/plan/span-board';
import { until } from '../../../helpers/until.ts';

const PIECES = 8;

it('N8 counts how long streams wait for a disk, and nothing while the disk keeps up', async () => {
  const gates: (() => void)[] = [];
  const file: OpenFile = {
    ...{ descriptor: undefined, sizeBytes: PIECES * MIB, read: async () => 0 },
    write: async (buffer) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return buffer.length;
    },
    ...{ truncate: async () => undefined, datasync: async () => undefined, close: async () => undefined },
  };
  const nothing = (): void => undefined;
  const board = new SpanBoard(pieceGrid(PIECES * MIB, MIB));
  const writer = new LeafWriter(file, '', board, { accepted: nothing, committed: nothing, failed: nothing });
  const submit = (first: number): void => {
    board.writing(first);
    writer.submit({ buffer: writer.takeBlock(), bytes: MIB, first, end: first + 1, source: NO_SOURCE });
  };
  board.claim(0, Infinity);
  for (const unit of [0, 1]) submit(unit);
  expect([writer.backpressure(), writer.waitedMs]).toEqual([undefined, 0]);
  submit(2);
  const waits = writer.backpressure();
  expect(waits).toBeInstanceOf(Promise);
  await until(() => writer.waitedMs > 20, { what: 'the wait is counted while it lasts' });
  gates.shift()!();
  await waits;
  const waited = writer.waitedMs;
  expect(waited).toBeGreaterThan(20);
  const ended = writer.idle();
  const timer = setInterval(() => gates.shift()?.(), 1);
  await ended;
  clearInterval(timer);
  expect(writer.waitedMs).toBe(waited);
});
