import { createRedisBackend, type BackendFactory, type RedisQueueBackend } from 'bullmq';

/**
 * BullMQ's own backend for jobs of many queues in one call, with two differences. A write which Redis refused inside the MULTI is
 * not lost: `FlowProducer.addBulk` looks at the replies only for ids and would report such a job as added. And the names of a queue's
 * keys are made once for jobs that stand one after another, not for each job.
 */
export const bulkBackend: BackendFactory<RedisQueueBackend> = (name, options, extra) => {
  const backend = createRedisBackend(name, options, extra);
  rememberLastQueue(backend);
  const addFlow = backend.addFlow.bind(backend);
  backend.addFlow = async (entries) => {
    const replies = await addFlow(entries);
    const [first] = entries;
    if (first === undefined || !replies.some(([error]) => isScriptMissing(error))) return checked(replies);
    // ioredis marks a script as loaded once it was sent, and corrects a wrong mark only outside of MULTI.
    await backend.forQueue(first.queueName, first.prefix).addJob(first.jobData, first.jobId, first.parentKeyOpts);
    return checked(await addFlow(entries));
  };
  return backend;
};

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

type Replies = [error: Error | null, reply: unknown][];

function checked<Checked extends Replies>(replies: Checked): Checked {
  throwFirstError(replies);
  return replies;
}

/** @returns the replies of a pipeline or MULTI; throws the first error among them */
export function throwFirstError(replies: Replies | null): unknown[] {
  if (replies === null) throw new Error('Redis dropped the transaction');
  for (const [error, reply] of replies) {
    if (error) throw error;
    if (typeof reply === 'number' && reply < 0) throw new Error(`Redis refused to add a job (code ${reply})`);
  }
  return replies.map(([, reply]) => reply);
}
