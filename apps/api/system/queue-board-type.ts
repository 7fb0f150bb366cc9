import type { FastifyInstance } from 'fastify';
import type { BoardQueue } from '#queue/jobs/download-queue';

export const QUEUE_BOARD_PATH = '/admin/queues';

/** Shows queues to an administrator. Queues may come and go while the board is up. */
export interface QueueBoard {
  show(queue: BoardQueue): void;
  hide(queue: BoardQueue): void;
  /** Serves the board under QUEUE_BOARD_PATH; the caller guards it. */
  readonly register: (app: FastifyInstance) => Promise<void>;
}
