import type { Logger } from '#core/logger';
import type { Database } from '#database/sql/connect';
import type { AddressPolicy } from '#http/address/address-policy';
import type { DownloadQueues } from '#queue/jobs/download-queue';
import type { Changes } from './live/changes.ts';

/** Dependencies of routes and commands; made once by the process or by a test. */
export interface Dependencies {
  readonly database: Database;
  readonly queues: DownloadQueues;
  /** Start of every key in Redis. */
  readonly prefix: string;
  readonly changes: Changes;
  /** Starts a round of the relay now. */
  readonly nudgeRelay: () => void;
  /** Asks the conductor to look at the rollouts now. */
  readonly nudgeConductor: () => void;
  /** Carries out bulk actions now. */
  readonly nudgeBulk: () => void;
  /** Sends the messages of webhooks that are due now. */
  readonly nudgeWebhooks: () => void;
  /** Where the endpoints of webhooks may be. */
  readonly webhookAddresses: AddressPolicy;
  /** A host that nothing was heard of for this long is offline; milliseconds. */
  readonly hostOfflineAfterMs: number;
  readonly now: () => Date;
  readonly log: Logger;
}
