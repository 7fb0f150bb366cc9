import { describe, expect, it } from '@jest/globals';
import { aJob } from '../../../helpers/jobs.ts';
import { RunningDownloads, stopCauseOf } from '../../../../apps/worker/downloads/running-downloads.ts';
import { unhandledFailureEvent } from '../../../../apps/worker/downloads/unhandled-failure.ts';

describe('running downloads', () => {
  const command = (downloadId: string, generation: number, what: 'pause' | 'cancel') =>
    ({ version: 1, downloadId, generation, command: what }) as const;

  it('RE11 stops the download a command means and says why', () => {
    const downloads = new RunningDownloads(() => 0);
    const job = aJob();
    const running = downloads.begin(job, new AbortController().signal);
    const other = downloads.begin(aJob(), new AbortController().signal);
    downloads.obey(command(job.downloadId, 1, 'cancel'));
    expect(stopCauseOf(running.signal)).toBe('cancel');
    expect(other.signal.aborted).toBe(false);
  });

  it('ignores a command for an earlier generation', () => {
    const downloads = new RunningDownloads(() => 0);
    const job = aJob({ generation: 3 });
    const running = downloads.begin(job, new AbortController().signal);
    downloads.obey(command(job.downloadId, 2, 'pause'));
    expect(running.signal.aborted).toBe(false);
  });

  it.each(['shutdown', 'lock-lost'] as const)('passes the reason %s of the queue on', (reason) => {
    const controller = new AbortController();
    const downloads = new RunningDownloads(() => 0);
    const running = downloads.begin(aJob(), controller.signal);
    expect(stopCauseOf(running.signal)).toBeUndefined();
    controller.abort(reason);
    expect(stopCauseOf(running.signal)).toBe(reason);
    expect(stopCauseOf(downloads.begin(aJob(), controller.signal).signal)).toBe(reason);
  });

  it('samples every announced download with its speed since the last sample', () => {
    let now = 1_000;
    const downloads = new RunningDownloads(() => now);
    const job = aJob();
    const running = downloads.begin(job, new AbortController().signal);
    expect(downloads.sample()).toEqual([]);
    running.report({ committedBytes: 100, totalBytes: 2_000, source: null, retries: 0 });
    running.report({ committedBytes: 500, totalBytes: 2_000, source: 'gateway', retries: 1 });
    now = 1_500;
    expect(downloads.sample()).toEqual([
      {
        type: 'download.progress',
        downloadId: job.downloadId,
        generation: 1,
        at: 1_500,
        committedBytes: 500,
        totalBytes: 2_000,
        source: 'gateway',
        retries: 1,
        bytesPerSecond: 800,
      },
    ]);
    now = 2_500;
    expect(downloads.sample()[0]?.bytesPerSecond).toBe(0);
    running.end();
    expect(downloads.sample()).toEqual([]);
    expect(downloads.ids).toEqual([]);
  });
});

describe('failures without a result', () => {
  it('are told by the id of the job', () => {
    const { downloadId } = aJob();
    expect(unhandledFailureEvent(`${downloadId}.g7`, new Error('started too often'), 5)).toMatchObject({
      type: 'download.failed',
      downloadId,
      generation: 7,
      message: 'started too often',
    });
    expect(unhandledFailureEvent('strange', new Error('x'), 5)).toBeUndefined();
  });
});
