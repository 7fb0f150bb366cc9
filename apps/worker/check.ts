import { pingRedis } from '#queue/ping';
import { checkWritable } from '#store/check-writable';
import type { WorkerConfig } from './config.ts';

/**
 * What a health check asks: can a worker with this configuration work? The configuration itself was read before.
 *
 * @returns a sentence for people
 * @throws Error with a sentence that says what is missing
 */
export async function checkWorker({ home, redis }: Pick<WorkerConfig, 'home' | 'redis'>): Promise<string> {
  await Promise.all([pingRedis(redis), checkWritable(home)]);
  return `Redis answers, and the store in ${home} can be written`;
}
