import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { createFileDigester } from '#content/file-digester';
import { MIB } from '#core/units';
import type { DigestPlan } from './file-digest.ts';

/** What the thread is asked to do; one file after another. */
export interface DigestOrder {
  readonly descriptor: number;
  readonly plan: DigestPlan;
  /** One cell: how many bytes are on the disk, grows; negative: stop. */
  readonly frontier: BigInt64Array;
}

export type DigestAnswer =
  { readonly is: 'done'; readonly digested: unknown } | { readonly is: 'failed'; readonly error: unknown };

const buffer = Buffer.allocUnsafeSlow(MIB);

/** Re-reads the growing file from the page cache, behind the frontier, and sleeps while there is nothing new. */
function digest({ descriptor, plan, frontier }: DigestOrder): DigestAnswer | undefined {
  const digester = createFileDigester(plan);
  let hashedBytes = 0;
  while (hashedBytes < plan.sizeBytes) {
    const reached = Atomics.load(frontier, 0);
    if (reached < 0n) return undefined;
    if (Number(reached) <= hashedBytes) {
      Atomics.wait(frontier, 0, reached);
      continue;
    }
    const wanted = Math.min(buffer.length, Number(reached) - hashedBytes);
    const count = readSync(descriptor, buffer, 0, wanted, hashedBytes);
    if (count === 0) return { is: 'failed', error: new Error(`the partial ends at ${hashedBytes}`) };
    digester.update(buffer.subarray(0, count));
    hashedBytes += count;
  }
  return { is: 'done', digested: digester.finish() };
}

parentPort?.on('message', (order: DigestOrder) => {
  try {
    parentPort!.postMessage(digest(order) ?? { is: 'failed', error: new Error('stopped') });
  } catch (error) {
    parentPort!.postMessage({ is: 'failed', error });
  }
});
