import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DigestedFile } from '#content/file-digester';
import { StorageError } from '#core/failure';
import { MIB } from '#core/units';
import type { DigestAnswer, DigestOrder } from './digest-thread.ts';
import type { DigestPlan, FileDigest } from './file-digest.ts';

/** For smaller files the thread that waits is not worth waking. */
const LEAST_FILE_BYTES = 16 * MIB;
/** A new thread costs about 40 ms and 10 MB: smaller files are hashed before it has started. */
const LEAST_FILE_BYTES_TO_START = 128 * MIB;
const STOP = -1n;

const idle: Worker[] = [];
let started = 0;
/** Undefined when this code runs in a form that a thread cannot load (TypeScript sources). */
const script = import.meta.url.endsWith('.ts') ? undefined : new URL('./digest-thread.js', import.meta.url);

/**
 * Hashes in a second thread that reads behind the frontier, when that pays: the file is large, and a core is
 * left for it. Threads are kept for the next file and do not keep the process alive.
 *
 * @returns undefined when the calling thread should hash
 */
export function threadedDigest(descriptor: number | undefined, path: string, plan: DigestPlan): FileDigest | undefined {
  if (descriptor === undefined || plan.sizeBytes < LEAST_FILE_BYTES) return undefined;
  const worker = takeThread(plan.sizeBytes);
  return worker === undefined ? undefined : digestIn(worker, descriptor, path, plan);
}

function takeThread(sizeBytes: number): Worker | undefined {
  const spare = idle.pop();
  if (spare !== undefined || script === undefined) return spare;
  if (sizeBytes < LEAST_FILE_BYTES_TO_START || started >= availableParallelism() - 1) return undefined;
  started += 1;
  const worker = new Worker(script);
  worker.once('exit', () => {
    started -= 1;
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  });
  return worker;
}

/** Has the file hashed by a thread that runs `digest-thread`. */
export function digestIn(worker: Worker, descriptor: number, path: string, plan: DigestPlan): FileDigest {
  const frontier = new BigInt64Array(new SharedArrayBuffer(8));
  const move = (to: bigint): void => {
    Atomics.store(frontier, 0, to);
    Atomics.notify(frontier, 0);
  };
  const answered = new Promise<DigestAnswer>((resolve) => {
    const settle = (answer: DigestAnswer): void => {
      worker.off('message', settle).off('error', fail).off('exit', fail);
      resolve(answer);
    };
    const fail = (error: unknown): void => settle({ is: 'failed', error });
    worker.on('message', settle).on('error', fail).on('exit', fail);
  });
  const settled = answered.then((answer) => {
    worker.unref();
    if (worker.threadId > 0) idle.push(worker);
    return answer;
  });
  worker.ref();
  worker.postMessage({ descriptor, plan, frontier } satisfies DigestOrder);
  let reached = 0;
  return {
    offer: () => undefined,
    advance(frontierBytes) {
      if (frontierBytes <= reached) return;
      reached = frontierBytes;
      move(BigInt(frontierBytes));
    },
    async finish() {
      move(BigInt(plan.sizeBytes));
      const answer = await settled;
      if (answer.is === 'done') return answer.digested as DigestedFile;
      throw StorageError.from(answer.error, path);
    },
    async stop() {
      move(STOP);
      await settled;
    },
  };
}
