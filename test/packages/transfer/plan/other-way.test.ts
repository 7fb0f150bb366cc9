import { describe, expect, it } from '@jest/globals';
import { SourceError, type SourceFailureKind } from '#core/failure';
import { MIB } from '#core/units';
import { leafGrid, pieceGrid } from '#transfer/plan/grid';
import { findsOtherWay } from '#transfer/plan/other-way';
import { SourceState } from '#transfer/run/source-state';
import { SourceTry, type TryContext } from '#transfer/run/source-try';
import { SpanBoard } from '#transfer/plan/span-board';
import { fakeSource, type FakeBehaviour } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(MIB);
const pieces = new SpanBoard(pieceGrid(bytes.length));
const leaves = new SpanBoard(leafGrid(tableOf(bytes)));
const nothing = (): void => undefined;
const context: TryContext = { now: () => 0, throttles: [], onBad: nothing, onMissing: () => false, onHead: nothing };

const stateOf = (behaviour: FakeBehaviour = {}): SourceState => new SourceState(fakeSource(bytes, behaviour), 0, '', 0);
const tryAt = (state: SourceState): SourceTry => new SourceTry(state, context);
const refusal = (kind: SourceFailureKind, httpStatus?: number): SourceError =>
  new SourceError(kind, 'fake', 'no', { httpStatus });

describe('a source that is asked in another way from now on', () => {
  it('B23 HR8 is not dropped for a refusal of a try that began before', () => {
    const state = stateOf();
    const [first, second] = [tryAt(state), tryAt(state)];
    expect(findsOtherWay(first, refusal('range-refused', 206), pieces)).toBe(true);
    expect(findsOtherWay(second, refusal('range-refused', 206), pieces)).toBe(true);
    expect(state.mode).toBe('stream');
    expect(findsOtherWay(tryAt(state), refusal('range-refused'), pieces)).toBe(false);
  });

  it('B23 E09 is not dropped in block mode for a 404 to a range that was requested before', () => {
    const state = stateOf({ kind: 'ipfs-gateway', blocks: () => undefined });
    const [first, second] = [tryAt(state), tryAt(state)];
    expect(findsOtherWay(first, refusal('missing', 404), leaves)).toBe(true);
    expect(findsOtherWay(second, refusal('missing', 404), leaves)).toBe(true);
    expect(state.mode).toBe('blocks');
    expect(findsOtherWay(tryAt(state), refusal('missing', 404), leaves)).toBe(false);
  });

  it('B23 is dropped when the whole file is refused as well', () => {
    const state = stateOf();
    const second = tryAt(state);
    findsOtherWay(tryAt(state), refusal('range-refused'), pieces);
    expect(findsOtherWay(second, refusal('missing', 404), pieces)).toBe(false);
  });
});
