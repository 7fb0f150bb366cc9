import { describe, expect, it } from '@jest/globals';
import { endNeedless } from '#transfer/run/end-tries';
import type { SourceTry } from '#transfer/run/source-try';
import { pieceGrid } from '#transfer/plan/grid';
import { SpanBoard } from '#transfer/plan/span-board';

const ORIGIN = 0;
const PEER = 1;

/** A request for two units of one byte. */
function tryAt(board: SpanBoard, source: number, bytes: number) {
  const controller = new AbortController();
  const holds = source === PEER ? () => true : undefined;
  const run = { mode: 'range', claim: board.claim(source, 2), controller, bytes, state: { source: { holds } } };
  return { run: run as unknown as SourceTry, isEnded: () => controller.signal.aborted };
}

describe('requests that are of no more use', () => {
  it('N6 end where they wait at a host that this one may not take from any more; what arrives, and an origin, go on', () => {
    const board = new SpanBoard(pieceGrid(20, 1));
    let mayAsk = true;
    board.limitTo(() => mayAsk);
    const tries = [tryAt(board, PEER, 0), tryAt(board, PEER, 1), tryAt(board, ORIGIN, 0)];
    const ended = () => {
      const runs = tries.map(({ run }) => run);
      endNeedless(runs, board);
      return tries.map(({ isEnded }) => isEnded());
    };
    expect(ended()).toEqual([false, false, false]);
    mayAsk = false;
    expect(ended()).toEqual([true, false, false]);
  });

  it('end where other tries brought everything', () => {
    const board = new SpanBoard(pieceGrid(20, 1));
    const one = tryAt(board, ORIGIN, 1);
    for (const unit of [0, 1]) board.writing(unit);
    endNeedless([one.run], board);
    expect(one.isEnded()).toBe(true);
  });
});
