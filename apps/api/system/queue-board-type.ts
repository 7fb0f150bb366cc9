import type { FastifyInstance } from 'fastify';
import type { BoardQueue } from '#queue/jobs/download-queue';

export const QUEUE_BOARD_PATH = '/admin/queues';

/** Where the board finds queues. */
export interface BoardQueues {
  /** The queue of a host, or of the pool. */
  openQueue(host: string | null): BoardQueue;
  /** Hosts that have something to do, as their names are compared; newest first, a few. */
  hostsAtWork(): Promise<readonly string[]>;
  /** Whether there is a host of this name. */
  hasHost(name: string): Promise<boolean>;
}

/** Shows queues to those who are signed in. A queue is opened when it is looked at, and may be closed to make room. */
export interface QueueBoard {
  show(queue: BoardQueue): void;
  hide(queue: BoardQueue): void;
  /** Serves the board under QUEUE_BOARD_PATH; the caller guards it. */
  readonly register: (app: FastifyInstance) => Promise<void>;
}
