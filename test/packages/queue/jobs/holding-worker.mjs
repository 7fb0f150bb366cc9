// A worker that takes a job and holds it until it is killed. Arguments: Redis URL, prefix, identity as JSON.
import process from 'node:process';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { connectPatiently } from '#queue/connection';
import { silentLogger } from '#core/logger';

const [url, prefix, identity] = process.argv.slice(2);

const consumer = new JobConsumer({
  redis: connectPatiently({ url, prefix }, 'holding', silentLogger),
  prefix,
  identity: JSON.parse(identity),
  host: 'gpu-1',
  pool: false,
  concurrency: 1,
  handler: () => {
    process.stdout.write('holding\n');
    return new Promise(() => undefined);
  },
  onUnhandledFailure: () => undefined,
  logger: silentLogger,
});
await consumer.start();
