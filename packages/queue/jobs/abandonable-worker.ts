import { Worker } from 'bullmq';
import { disconnect } from '../connection.ts';

/** `close` waits for Redis without a limit, and its timer and connection keep the process alive meanwhile. */
export class AbandonableWorker extends Worker<unknown, null> {
  async abandon(): Promise<void> {
    await this.lockManager.close();
    const blocking = await this.backend.blockingClient;
    if (blocking !== undefined) disconnect(blocking);
  }
}
