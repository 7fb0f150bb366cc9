import { pino } from 'pino';
import { readConfig } from './config.ts';
import { createDownloadHandler } from './handlers/download-file.ts';
import { createWorker } from './worker.ts';
import { holdIdentity } from './worker-identity.ts';

const SIGNAL_EXIT_CODE = 1;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = pino({ name: 'haulier-worker', level: config.logLevel });
  const identity = await holdIdentity(config.home);
  const worker = createWorker(config, identity, createDownloadHandler, logger);

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(SIGNAL_EXIT_CODE);
    stopping = true;
    logger.info({ signal }, 'worker stops; a second signal ends it at once');
    worker.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        logger.error({ err }, 'worker did not stop in order');
        process.exit(SIGNAL_EXIT_CODE);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  await worker.start();
  const { workerId, bootId } = identity;
  logger.info({ workerId, bootId, host: config.host ?? null, pool: config.pool }, 'worker takes jobs');
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(SIGNAL_EXIT_CODE);
});
