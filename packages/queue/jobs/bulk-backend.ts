import { createRedisBackend, type BackendFactory, type RedisQueueBackend } from 'bullmq';

type FlowEntries = Parameters<RedisQueueBackend['addFlow']>[0];

/**
 * BullMQ's own backend for jobs without parents, of many queues in one call, with two differences. A write which Redis refused inside
 * the MULTI is not lost: `FlowProducer.addBulk` looks at the replies only for ids and would report such a job as added. And the names of
 * a queue's keys are made once for jobs that stand one after another: for each job, twice, they cost more than everything else.
 */
export const bulkBackend: BackendFactory<RedisQueueBackend> = (name, options, extra) => {
  const backend = createRedisBackend(name, options, extra);
  rememberLastQueue(backend);
  backend.addFlow = async (entries) => {
    const replies = await addRoots(backend, entries);
    const [first] = entries;
    if (first === undefined || !replies.some(([error]) => isScriptMissing(error))) return checked(replies);
    // ioredis marks a script as loaded once it was sent, and corrects a wrong mark only outside of MULTI.
    await backend.forQueue(first.queueName, first.prefix).addJob(first.jobData, first.jobId, first.parentKeyOpts);
    return checked(await addRoots(backend, entries));
  };
  return backend;
};

/** One MULTI. The queue is part of the names of the keys alone, so one backend adds the jobs of all of them. */
async function addRoots(backend: RedisQueueBackend, entries: FlowEntries): Promise<Replies> {
  const multi = (await backend.client).multi();
  const written = entries.map(({ jobData, jobId, parentKeyOpts, queueName, prefix }) => {
    const { keys } = backend.forQueue(queueName, prefix) as RedisQueueBackend;
    return backend.addJobToTransaction(multi, jobData, jobId, parentKeyOpts, keys);
  });
  await Promise.all(written);
  const replies = (await multi.exec()) as Replies | null;
  if (replies === null) throw new Error(DROPPED);
  return replies;
}

function rememberLastQueue(backend: RedisQueueBackend): void {
  const forQueue = backend.forQueue.bind(backend);
  let last: { readonly key: string; readonly queue: ReturnType<typeof forQueue> } | undefined;
  backend.forQueue = (name, prefix) => {
    const key = `${prefix}:${name}`;
    if (last?.key !== key) last = { key, queue: forQueue(name, prefix) };
    return last.queue;
  };
}

const isScriptMissing = (error: Error | null): boolean => error?.message.startsWith('NOSCRIPT') ?? false;

const DROPPED = 'Redis dropped the transaction';

type Replies = [error: Error | null, reply: unknown][];

function checked(replies: Replies): Awaited<ReturnType<RedisQueueBackend['addFlow']>> {
  throwFirstError(replies);
  return replies as Awaited<ReturnType<RedisQueueBackend['addFlow']>>;
}

/** @returns the replies of a pipeline or MULTI; throws the first error among them */
export function throwFirstError(replies: Replies | null): unknown[] {
  if (replies === null) throw new Error(DROPPED);
  for (const [error, reply] of replies) {
    if (error) throw error;
    if (typeof reply === 'number' && reply < 0) throw new Error(`Redis refused to add a job (code ${reply})`);
  }
  return replies.map(([, reply]) => reply);
}
