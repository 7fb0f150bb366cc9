import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DigestedFile } from '#content/digest/file-digester';
import { StorageError } from '#core/failure';
import { MIB } from '#core/units';
import type { DigestAnswer, DigestOrder } from './digest-thread.ts';
import type { OpenFile } from '../disk/file-operations.ts';
import { inlineDigest, type DigestPlan, type FileDigest } from './file-digest.ts';

/** For smaller files, waking the thread costs more than it saves. */
const LEAST_FILE_BYTES = 16 * MIB;
/** A new thread costs about 40 ms and 10 MB: only a process that hashes this many bytes, over all files, starts one. */
const LEAST_BYTES_TO_START = 128 * MIB;
const STOP = -1n;

const threads: DigestThread[] = [];
/** Bytes of all files so far that were large enough for a thread. */
let seenBytes = 0;
/** Undefined when this code runs in a form that a thread cannot load (TypeScript sources). */
const script = import.meta.url.endsWith('.ts') ? undefined : new URL('./digest-thread.js', import.meta.url);

/** Starts the digest of a growing file, in a second thread if that is allowed and worth its cost. */
export function startFileDigest(file: OpenFile, path: string, plan: DigestPlan, thread: 'auto' | 'inline'): FileDigest {
  const threaded = thread === 'auto' ? threadedDigest(file.descriptor, path, plan) : undefined;
  return threaded ?? inlineDigest(file, path, plan);
}

/**
 * Hashes in a second thread that reads behind the frontier, if the file is large and a core is free. A thread is kept for later files,
 * hashes several files at once, and does not keep the process alive.
 *
 * @returns undefined when the calling thread should hash
 */
export function threadedDigest(descriptor: number | undefined, path: string, plan: DigestPlan): FileDigest | undefined {
  if (descriptor === undefined || plan.sizeBytes < LEAST_FILE_BYTES) return undefined;
  seenBytes += plan.sizeBytes;
  return threadFor()?.digest(descriptor, path, plan);
}

/** Chooses an idle thread; else a new one; else the one with the fewest files. */
function threadFor(): DigestThread | undefined {
  const [first] = threads.toSorted((a, b) => a.files - b.files);
  if (first?.files === 0 || script === undefined) return first;
  if (seenBytes < LEAST_BYTES_TO_START || threads.length >= availableParallelism() - 1) return first;
  const thread = new DigestThread(script);
  threads.push(thread);
  void thread.ended.then(() => void threads.splice(threads.indexOf(thread), 1));
  return thread;
}

/** A thread that runs `digest-thread`. */
export class DigestThread {
  /** Resolves when the thread has ended. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, (result: DigestAnswer['result']) => void>();
  #orders = 0;

  constructor(from: URL) {
    this.#worker = new Worker(from, { workerData: this.#bell });
    this.#worker.unref();
    this.#worker.on('message', ({ id, result }: DigestAnswer) => this.#settle(id, result));
    this.#worker.on('error', (error) => this.#fail(error));
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(new Error('the digest thread has ended'));
        resolve();
      });
    });
  }

  /** How many files it is hashing. */
  get files(): number {
    return this.#waiting.size;
  }

  /** @param descriptor stays open until the digest is finished or stopped */
  digest(descriptor: number, path: string, plan: DigestPlan): FileDigest {
    const frontier = new BigInt64Array(new SharedArrayBuffer(8));
    const settled = this.#order(descriptor, plan, frontier);
    let reached = 0;
    const move = (to: bigint): void => {
      Atomics.store(frontier, 0, to);
      this.#ring();
    };
    return {
      offer: () => undefined,
      advance(frontierBytes) {
        if (frontierBytes <= reached) return;
        reached = frontierBytes;
        move(BigInt(frontierBytes));
      },
      async finish() {
        move(BigInt(plan.sizeBytes));
        const result = await settled;
        if (result.is === 'done') return result.digested as DigestedFile;
        throw StorageError.from(result.error, path);
      },
      async stop() {
        move(STOP);
        await settled;
      },
    };
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #order(descriptor: number, plan: DigestPlan, frontier: BigInt64Array): Promise<DigestAnswer['result']> {
    const id = (this.#orders += 1);
    const settled = new Promise<DigestAnswer['result']>((resolve) => this.#waiting.set(id, resolve));
    this.#worker.ref();
    this.#worker.postMessage({ id, descriptor, plan, frontier } satisfies DigestOrder);
    this.#ring();
    return settled;
  }

  #ring(): void {
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  #settle(id: number, result: DigestAnswer['result']): void {
    this.#waiting.get(id)?.(result);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #fail(error: unknown): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { is: 'failed', error });
  }
}
