import { createHash, randomUUID } from 'node:crypto';
import { setInterval } from 'node:timers';
import { silentLogger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { connectPatiently, disconnect } from '#queue/connection';
import { EventPublisher } from '#queue/events/event-publisher';
import { JobConsumer } from '#queue/jobs/job-consumer';
import type { FleetCommand, FleetOrder } from './fleet-order.ts';

/**
 * Workers of many hosts in one process, with the queue and the events of a real worker. They wait for jobs; while they are told to
 * report, each host sends its heartbeat with the digest of its inventory once in the given time, spread evenly.
 */
const TICK_MS = 20;
const STARTED_AT_ONCE = 50;

const { redisUrl, prefix, hosts, reportEveryMs } = JSON.parse(process.argv[2] ?? '{}') as FleetOrder;
const redis = connectPatiently({ url: redisUrl, prefix }, 'idle-workers', silentLogger);
const publishers = hosts.map(
  (host) => new EventPublisher({ redis, prefix, host, bootId: randomUUID(), logger: silentLogger }),
);
const consumers = hosts.map(
  (host) =>
    new JobConsumer({
      ...{ redis, prefix, identity: { workerId: digestOf(host), bootId: randomUUID() }, host, pool: false },
      ...{ concurrency: 2, logger: silentLogger, onUnhandledFailure: () => undefined },
      handler: () => Promise.resolve({ do: 'done' }),
    }),
);
for (let from = 0; from < consumers.length; from += STARTED_AT_ONCE)
  await Promise.all(consumers.slice(from, from + STARTED_AT_ONCE).map((consumer) => consumer.start()));

let isReporting = false;
let reported = 0;
let beganAt = 0;
setInterval(() => {
  if (!isReporting) return;
  const due = Math.floor(((performance.now() - beganAt) / reportEveryMs) * hosts.length);
  for (; reported < due; reported += 1) report(reported % hosts.length);
}, TICK_MS);

process.on('message', (command: FleetCommand) => {
  isReporting = command === 'report';
  [reported, beganAt] = [0, performance.now()];
});
process.once('SIGTERM', stop);
process.once('disconnect', stop);
process.send?.('ready');

function report(index: number): void {
  publishers[index]!.publish({
    ...{ type: 'host.report', at: Date.now(), inventoryDigest: digestOf(hosts[index]!), storeBytes: 280_000_000 },
    ...{ freeBytes: 1_000_000_000_000, fileCount: 6, workerVersion: '0.1.0', labels: { site: `s${index % 20}` } },
    facts: { os: 'linux', arch: 'x64', memoryBytes: 16 * 1024 ** 3, gpus: 1 },
  });
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function stop(): void {
  setTimeout(() => process.exit(0), SECOND_MS);
  void Promise.all(consumers.map((consumer) => consumer.stop())).then(() => {
    disconnect(redis);
    process.exit(0);
  });
}
