import { DAY_MS, HOUR_MS, MIB, SECOND_MS } from '#core/units';
import { readFacts } from '../blobs/blob-facts.ts';
import { listBlobs } from '../blobs/blob-list.ts';
import type { Clock } from '#os/clock';
import type { StoreContext } from '../context.ts';
import { filesOf } from '../models/model-records.ts';
import type { RecordStore } from '../models/record-store.ts';
import { verifyBlob } from './verify.ts';

export interface RollingVerifyOptions {
  /** Reading budget; bytes per second. Default 20 MiB: a tenth of a slow disk. */
  readonly bytesPerSecond?: number | undefined;
  /** Every content is hashed once within this; milliseconds. Default 7 days. */
  readonly cycleMs?: number | undefined;
}

export interface RollingVerify {
  start(): void;
  /** Safe twice and before start; resolves when the disk is left alone. */
  stop(): Promise<void>;
}

/** Hashes all content in the background, the longest unproven first, within a budget of disk reads. */
export function rollingVerify(
  context: StoreContext,
  records: RecordStore,
  options: RollingVerifyOptions = {},
): RollingVerify {
  const cycleMs = options.cycleMs ?? 7 * DAY_MS;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  const loop = async (): Promise<void> => {
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        const waitMs = await verifyNext(context, records, cycleMs, options.bytesPerSecond ?? 20 * MIB, signal);
        if (waitMs > 0) await context.clock.wait(Math.min(waitMs, HOUR_MS), signal);
      } catch (error) {
        if (signal.aborted) return;
        context.logger.warn({ err: error }, 'rolling check failed');
        await context.clock.wait(HOUR_MS, signal).catch(() => undefined);
      }
    }
  };
  return {
    start: () => {
      running ??= loop();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Hashes the content whose proof is the oldest, if it is due.
 *
 * @returns milliseconds until the next one is due; 0 when one was hashed
 */
export async function verifyNext(
  context: StoreContext,
  records: RecordStore,
  cycleMs: number,
  bytesPerSecond: number,
  signal: AbortSignal,
): Promise<number> {
  const proofs = await Promise.all(
    (await listBlobs(context)).map(async ({ sha256 }) => ({
      sha256,
      verifiedAt: (await readFacts(context, sha256))?.verifiedAt ?? 0,
    })),
  );
  const oldest = proofs.sort((a, b) => a.verifiedAt - b.verifiedAt)[0];
  if (oldest === undefined) return HOUR_MS;
  const dueInMs = oldest.verifiedAt + cycleMs - context.clock.now();
  if (dueInMs > 0) return dueInMs;
  const uses = [...filesOf(await records.read())];
  const pace = pacer(context.clock, bytesPerSecond, signal);
  await verifyBlob(context, records, oldest.sha256, { uses, signal, pace });
  return 0;
}

/** Waits until the bytes read so far fit the budget. */
export function pacer(clock: Clock, bytesPerSecond: number, signal: AbortSignal): (bytes: number) => Promise<void> {
  const startedMs = clock.monotonic();
  let done = 0;
  return async (bytes) => {
    done += bytes;
    const aheadMs = (done / bytesPerSecond) * SECOND_MS - (clock.monotonic() - startedMs);
    if (aheadMs > 0) await clock.wait(aheadMs, signal);
  };
}
