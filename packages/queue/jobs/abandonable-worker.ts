import { Worker } from 'bullmq';
import { disconnect } from '../connection.ts';

/** `close` waits for Redis for ever, and meanwhile keeps a timer and a connection that keep the process alive. */
export class AbandonableWorker extends Worker<unknown, null> {
  async abandon(): Promise<void> {
    await this.lockManager.close();
    const blocking = await this.backend.blockingClient;
    if (blocking !== undefined) disconnect(blocking);
  }
}
