import { describe, expect, it } from '@jest/globals';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { busyDownloads, commandFor } from '../../../../apps/api/background/stop-stragglers.ts';

const row = { status: 'in_progress', pauseReason: null, generation: 2, host: null } as const;

describe('commandFor', () => {
  it.each([
    ['nothing to a worker that does what is wanted', row, 2, undefined],
    ['pause to one that runs an older generation', row, 1, 'pause'],
    ['cancel for a download that does not exist', undefined, 1, 'cancel'],
    ['cancel when it was cancelled', { ...row, status: 'cancelled' }, 2, 'cancel'],
    ['pause when a person paused it', { ...row, status: 'paused', pauseReason: 'requested' }, 2, 'pause'],
    ['nothing while the worker itself waits', { ...row, status: 'paused', pauseReason: 'retry' }, 2, undefined],
    ['nothing about the download of another host', { ...row, status: 'cancelled', host: 'gpu-2' }, 2, undefined],
  ] as const)('says %s', (_what, download, generation, expected) => {
    expect(commandFor(download, generation, 'gpu-1')).toBe(expected);
  });
});

describe('busyDownloads', () => {
  it('counts only the last event of a download', () => {
    const say = (type: string, downloadId: string) => ({ type, downloadId, generation: 1 }) as unknown as WorkerEvent;
    const batch = (events: WorkerEvent[]) => ({ host: 'a', events }) as unknown as EventBatch;
    const batches = [
      batch([say('download.started', 'x'), say('download.started', 'y'), say('try.finished', 'y')]),
      batch([say('download.finished', 'x')]),
    ];
    expect(busyDownloads(batches)).toEqual([{ downloadId: 'y', generation: 1, host: 'a' }]);
  });
});
