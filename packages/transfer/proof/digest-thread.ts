import { readSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createFileDigester } from '#content/digest/file-digester';
import { MIB } from '#core/units';
import type { DigestPlan } from './file-digest.ts';

/** An order to hash one file; the thread hashes several files at once. */
export interface DigestOrder {
  /** Identifies the order in the answer. */
  readonly id: number;
  readonly descriptor: number;
  readonly plan: DigestPlan;
  /** One cell: the number of bytes on the disk, which grows; negative: stop. */
  readonly frontier: BigInt64Array;
}

export interface DigestAnswer {
  readonly id: number;
  readonly result:
    { readonly is: 'done'; readonly digested: unknown } | { readonly is: 'failed'; readonly error: unknown };
}

interface Running {
  readonly order: DigestOrder;
  readonly digester: ReturnType<typeof createFileDigester>;
  hashedBytes: number;
}

const buffer = Buffer.allocUnsafeSlow(MIB);
/** Counts new orders and frontiers; the thread sleeps until it changes. */
const bell = workerData as Int32Array;
const port = parentPort!;
const running = new Map<number, Running>();

/** Reads growing files from the page cache behind their frontiers, in turn; sleeps while no frontier has moved. */
function work(): void {
  while (running.size > 0) {
    const rung = Atomics.load(bell, 0);
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      accept(next.message as DigestOrder);
    let hasMoved = false;
    for (const one of running.values()) hasMoved = advance(one) || hasMoved;
    if (!hasMoved) Atomics.wait(bell, 0, rung);
  }
}

function accept(order: DigestOrder): void {
  running.set(order.id, { order, digester: createFileDigester(order.plan), hashedBytes: 0 });
}

/** Hashes a block of one file. @returns false when its frontier has not moved */
function advance(one: Running): boolean {
  try {
    const { plan, frontier } = one.order;
    const reached = Number(Atomics.load(frontier, 0));
    if (reached < 0) throw new Error('stopped');
    if (one.hashedBytes < plan.sizeBytes && reached <= one.hashedBytes) return false;
    hashUpTo(one, reached);
    if (one.hashedBytes === plan.sizeBytes) answer(one, { is: 'done', digested: one.digester.finish() });
  } catch (error) {
    answer(one, { is: 'failed', error });
  }
  return true;
}

function hashUpTo(one: Running, reached: number): void {
  const wanted = Math.min(buffer.length, reached - one.hashedBytes);
  if (wanted === 0) return;
  const count = readSync(one.order.descriptor, buffer, 0, wanted, one.hashedBytes);
  if (count === 0) throw new Error(`the partial ends at ${one.hashedBytes}`);
  one.digester.update(buffer.subarray(0, count));
  one.hashedBytes += count;
}

function answer({ order }: Running, result: DigestAnswer['result']): void {
  running.delete(order.id);
  port.postMessage({ id: order.id, result } satisfies DigestAnswer);
}

port.on('message', (order: DigestOrder) => {
  accept(order);
  work();
});
