import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect } from '#queue/connection';
import { DownloadQueues } from '#queue/jobs/download-queue';
import type { ChaosLab } from './chaos-lab.ts';

export const BLOWS = ['api', 'worker', 'flush', 'delete', 'redis', 'postgres'] as const;
export type BlowKind = (typeof BLOWS)[number];

/** How often each thing is broken. `delete` counts jobs. */
export type BlowCounts = Readonly<Record<BlowKind, number>>;

export interface Blow {
  readonly kind: BlowKind;
  /** Share of the downloads that are published when it falls, in [0, 1). */
  readonly at: number;
  /** Which one, in [0, 1). */
  readonly which: number;
}

/** Jobs that one blow deletes. */
const DELETED_AT_ONCE = 20;
const READY_POLL_MS = 10;
/** Blows begin when the first downloads are there, and end while the last are still to come. */
const [FIRST, LAST] = [0.01, 0.92];

/** All blows in a random order, at random moments. Pure: the same random numbers give the same plan. */
export function planBlows(counts: BlowCounts, random: () => number): Blow[] {
  const blows = BLOWS.flatMap((kind) => {
    const times = kind === 'delete' ? Math.ceil(counts.delete / DELETED_AT_ONCE) : counts[kind];
    return Array.from({ length: times }, () => ({
      ...{ kind, which: random() },
      at: FIRST + random() * (LAST - FIRST),
    }));
  });
  return blows.sort((a, b) => a.at - b.at);
}

/** Carries out one blow; resolves when what it broke runs again. */
export async function strike(lab: ChaosLab, { kind, which }: Blow, hosts: readonly string[]): Promise<void> {
  switch (kind) {
    case 'api':
      return lab.killApi(Math.floor(which * lab.apiCount));
    case 'worker':
      return lab.killWorker(Math.floor(which * lab.workerCount));
    case 'flush':
      return flush(lab);
    case 'delete':
      return deleteJobs(lab, which, hosts);
    case 'redis':
      return lab.loseRedis();
    case 'postgres':
      return lab.stopPostgresAtOnce();
  }
}

async function flush({ redisUrl, prefix }: ChaosLab): Promise<void> {
  const redis = connectPatiently({ url: redisUrl, prefix }, 'chaos', silentLogger);
  try {
    await redis.flushall();
  } finally {
    disconnect(redis);
  }
}

/** Takes waiting jobs away, host by host. Of every second one only its data goes: its id stays in the list. */
async function deleteJobs({ redisUrl, prefix }: ChaosLab, which: number, hosts: readonly string[]): Promise<void> {
  const redis = connectPatiently({ url: redisUrl, prefix }, 'chaos', silentLogger);
  const queues = new DownloadQueues({ redis: { url: redisUrl, prefix }, logger: silentLogger });
  try {
    await redis.ping();
    while (queues.redis.status !== 'ready') await pause(READY_POLL_MS);
    let left = DELETED_AT_ONCE;
    for (let step = 0; step < hosts.length && left > 0; step += 1) {
      const queue = queues.openQueue(hosts[(Math.floor(which * hosts.length) + step) % hosts.length]!);
      const [job] = await queue.getWaiting(0, 0);
      if (job?.id === undefined) continue;
      if (left % 2 === 0) await queue.remove(job.id);
      else await redis.del(queue.toKey(job.id));
      left -= 1;
    }
  } finally {
    await queues.stop();
    disconnect(redis);
  }
}
