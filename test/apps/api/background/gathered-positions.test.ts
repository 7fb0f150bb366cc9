import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { ReceivedBatch } from '#queue/events/event-stream';
import { GatheredPositions } from '../../../../apps/api/background/gathered-positions.ts';
import { finished } from './carrying.ts';

const ID = randomUUID();

const position = (at: number, { id = ID, generation = 1 } = {}) => ({
  ...{ type: 'download.progress' as const, downloadId: id, generation, at, committedBytes: at, totalBytes: 100 },
  ...{ bytesPerSecond: 1, source: null, retries: 0 },
});

function received(host: string | null, ...events: WorkerEvent[]): ReceivedBatch {
  const batch = { version: 1, host, bootId: ID, sequence: 0, sentAt: 0, events } as const;
  return { batch: { ...batch, events }, text: '', signature: undefined, isReadAgain: false };
}

function knowing(): GatheredPositions {
  const gathered = new GatheredPositions();
  gathered.learn([{ ...position(10), host: 'gpu-1' }], [], new Map());
  return gathered;
}

describe('positions that are gathered', () => {
  it.each([
    ['a download that is not known to run', received('gpu-1', position(20, { id: randomUUID() }))],
    ['another generation', received('gpu-1', position(20, { generation: 2 }))],
    ['another host', received('gpu-2', position(20))],
    ['a worker without a host', received(null, position(20))],
    ['more than positions', received('gpu-1', position(20), finished(ID))],
    ['nothing', received('gpu-1')],
  ])('M14 are not those of a batch with %s', (_, one) => {
    expect(knowing().isRepeat(one)).toBe(false);
  });

  it('are those of downloads that the database said run there, in any case of the host', () => {
    expect(knowing().isRepeat(received('GPU-1', position(20)))).toBe(true);
  });

  it('are told when they are newer than those before, and held in any case', () => {
    const gathered = knowing();
    expect(gathered.hold(received('gpu-1', position(20))).map(({ at }) => at)).toEqual([20]);
    expect(gathered.hold(received('gpu-1', position(15)))).toEqual([]);
    expect(gathered.take()).toHaveLength(2);
    expect(gathered.take()).toEqual([]);
  });

  it('end with the download, with what the database says at the next write, and with an outage', () => {
    const ends: ((gathered: GatheredPositions) => void)[] = [
      (gathered) => gathered.learn([], [ID], new Map()),
      (gathered) => gathered.settle(new Set(), new Map()),
      (gathered) => gathered.forget(),
    ];
    for (const end of ends) {
      const gathered = knowing();
      end(gathered);
      expect(gathered.isRepeat(received('gpu-1', position(20)))).toBe(false);
    }
    const stays = knowing();
    stays.settle(new Set([ID]), new Map());
    expect(stays.isRepeat(received('gpu-1', position(20)))).toBe(true);
  });
});
