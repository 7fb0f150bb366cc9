import type { Logger } from '#core/logger';
import type { Database } from '#database/sql/connect';
import type { ListReader } from '#database/sql/read-replica';
import type { AddressPolicy } from '#http/address/address-policy';
import type { Http } from '#http/pool';
import type { DownloadQueues } from '#queue/jobs/download-queue';
import type { ControlPlaneMetrics } from '#metrics/control-plane-metrics';
import type { Tracing } from '#tracing/tracing';
import type { Changes } from './live/changes.ts';
import type { Live } from './live/live-events-process.ts';

/** Dependencies of routes and commands; made once by the process or by a test. */
export interface Dependencies {
  readonly database: Database;
  /** Where lists are read. */
  readonly lists: ListReader;
  readonly queues: DownloadQueues;
  /** Start of every key in Redis. */
  readonly prefix: string;
  readonly changes: Changes;
  /** What Prometheus scrapes of this process. */
  readonly metrics: ControlPlaneMetrics;
  /** Clients of live events, and positions for them. */
  readonly live: Pick<Live, 'hub' | 'tellPositions'>;
  /** Starts a round of the relay now. */
  readonly nudgeRelay: () => void;
  /** Asks the conductor to look at the rollouts now. */
  readonly nudgeConductor: () => void;
  /** `required`: nothing is believed of hosts that are not enrolled. */
  readonly enrolment: 'optional' | 'required';
  /** Address of Redis that enrolled workers are told, without a login. */
  readonly workerRedisUrl: string;
  /** Carries out bulk actions now. */
  readonly nudgeBulk: () => void;
  /** Sends the messages of webhooks that are due now. */
  readonly nudgeWebhooks: () => void;
  /** Where the endpoints of webhooks may be. */
  readonly webhookAddresses: AddressPolicy;
  /** A client for requests to the outside, which the caller closes. */
  readonly openHttp: () => Http;
  /** A host that nothing was heard of for this long is offline; milliseconds. */
  readonly hostOfflineAfterMs: number;
  readonly tracing: Tracing;
  readonly now: () => Date;
  readonly log: Logger;
}
