import { describe, expect, it } from '@jest/globals';
import { LAYERS } from '#core/layer';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import { Consequences } from '#transfer/run/consequences';
import { Crew } from '#transfer/run/crew';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { pieceGrid } from '#transfer/plan/grid';
import { LeafWriter } from '#transfer/disk/leaf-writer';
import { SourceState } from '#transfer/run/source-state';
import { SpanBoard } from '#transfer/plan/span-board';
import { bytesOf, transferKit } from '../../../helpers/transfer-kit.ts';
import { fakeSource } from '../../../helpers/fake-source.ts';

const MINUTE_MS = 60_000;
const bytes = bytesOf(1000);
const fail = (message: string): never => {
  throw new Error(message);
};

describe('sources that cannot work now', () => {
  it('are checked again when the first pause ends, not in a busy loop until then', async () => {
    const kit = await transferKit();
    const file = await nodeFileOperations.openPrivate(kit.partialPath);
    const board = new SpanBoard(pieceGrid(bytes.length, 100));
    const nothing = (): void => undefined;
    const writer = new LeafWriter(file, kit.partialPath, board, {
      accepted: nothing,
      committed: nothing,
      failed: nothing,
    });
    // It sends only the whole file, and waits beside one that could send what is missing.
    const waits = new SourceState(fakeSource(bytes, { name: 'waits', ranges: false }), 0, '', 0);
    const paused = new SourceState(fakeSource(bytes, { name: 'paused' }), 1, '', 0);
    waits.mode = 'stream';
    paused.pausedUntil = MINUTE_MS;
    const states = [waits, paused];
    const stop = new AbortController();
    let [looks, ticks] = [0, 0];
    const now = (): number => {
      looks += 1;
      return 0;
    };
    const consequences = new Consequences({
      states,
      budgets: DEFAULT_BUDGETS,
      logger: silentLogger,
      now,
      random: Math.random,
    });
    const crew = new Crew({
      states,
      layers: LAYERS,
      joinsAllLayers: true,
      consequences,
      connections: 1,
      throttlesOf: () => [],
      isProvable: true,
      share: undefined,
      what: 'the file',
      now,
      layout: { laid: { board, writer }, fileOf: () => fail('the file is laid out already') },
      onHead: nothing,
      onTry: nothing,
      onTick: () => {
        ticks += 1;
        if (ticks === 3) stop.abort(new Error('seen enough'));
      },
    });
    await expect(crew.run(stop.signal)).rejects.toThrow('seen enough');
    expect(looks).toBeLessThan(60);
    await file.close();
    await kit.remove();
  });
});
