import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { openStore } from '#store/open-store';
import { NO_TRACING } from '#tracing/tracing';
import { createDownloadHandler } from '../../../../apps/worker/downloads/download-file.ts';
import type { Fetcher } from '../../../../apps/worker/downloads/fetcher.ts';
import { RunningDownloads } from '../../../../apps/worker/downloads/running-downloads.ts';
import { aJob } from '../../../helpers/jobs.ts';

describe('the order of what an attempt tells', () => {
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-attempt-'));
  });

  afterEach(() => rm(home, { recursive: true }));

  /** Reports 5 bytes, then fails, or is stopped where `stop` does that. */
  const failing = (stop: () => void): Fetcher => ({
    fetch: (_job, { onProgress }) => {
      onProgress?.({ committedBytes: 5, activeSources: [], tries: 1 } as never);
      stop();
      return Promise.reject(new Error('no more bytes'));
    },
  });

  it.each(['shutdown', 'nothing'])('H02 no position follows the end of an attempt that %s stopped', async (cause) => {
    const events: WorkerEvent[] = [];
    const downloads = new RunningDownloads(Date.now);
    const queue = new AbortController();
    const handler = createDownloadHandler({
      store: await openStore({ home }),
      fetcher: failing(() => cause === 'shutdown' && queue.abort('shutdown')),
      downloads,
      publish: (event) => events.push(event),
      // The second passes while Redis acknowledges the end.
      flush: async () => void events.push(...downloads.sample()),
      onServed: () => undefined,
      tracing: NO_TRACING,
      logger: silentLogger,
    });
    await handler(aJob(), {
      attempt: 1,
      lastAttempt: false,
      timesStarted: 1,
      sourceWaitsInARow: 0,
      signal: queue.signal,
    });
    expect(events.map(({ type }) => type)).toEqual(['download.started', 'download.interrupted']);
  });
});
