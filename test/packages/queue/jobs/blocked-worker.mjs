// A worker whose event loop stands still for three lock durations within its job, and until another one has published the result; then it
// publishes its own and stops in order.
// Arguments: Redis URL, prefix, identity as JSON, lock duration in milliseconds, path and content of the result.
import { existsSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { silentLogger } from '#core/logger';
import { connectPatiently } from '#queue/connection';
import { JobConsumer } from '#queue/jobs/job-consumer';

const [url, prefix, identity, lockDuration, path, content] = process.argv.slice(2);
const lockDurationMs = Number(lockDuration);

let end;
const ended = new Promise((resolve) => (end = resolve));
const consumer = new JobConsumer({
  redis: connectPatiently({ url, prefix }, 'blocked', silentLogger),
  prefix,
  identity: JSON.parse(identity),
  host: 'gpu-1',
  pool: false,
  concurrency: 1,
  timings: { lockDurationMs, stalledIntervalMs: 100 },
  handler: async () => {
    writeSync(1, 'blocked\n');
    const until = performance.now() + 3 * lockDurationMs;
    while (performance.now() < until || !existsSync(path));
    writeFileSync(`${path}.blocked`, content);
    renameSync(`${path}.blocked`, path);
    end();
    return { do: 'done' };
  },
  onUnhandledFailure: () => process.exit(3),
  logger: silentLogger,
});
await consumer.start();
await ended;
await consumer.stop();
process.exit(0);
