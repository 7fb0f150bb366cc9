import { packageVersion } from '#os/package-folder';
import { programLog } from '#os/program-log';
import { openStore } from '#store/open-store';
import { messageOf } from '#core/error-facts';
import { checkWorker } from './check.ts';
import { readWorkerConfig } from './config.ts';
import { StoreNotices } from './host/store-notices.ts';
import { createWorker } from './worker.ts';
import { holdIdentity } from './worker-identity.ts';
import { createWorkerHttp } from './downloads/worker-sources.ts';

const SIGNAL_EXIT_CODE = 1;

async function main(): Promise<void> {
  const config = readWorkerConfig(process.env);
  if (process.argv.includes('--check')) {
    process.stdout.write(`${await checkWorker(config)}\n`);
    return;
  }
  const logger = await programLog({
    ...{ name: 'haulier-worker', level: config.logLevel },
    ...{ output: process.stdout, colours: !process.env['NO_COLOR'] },
  });
  for (const warning of config.warnings) logger.warn(warning);
  const identity = await holdIdentity(config.home);
  const storeNotices = new StoreNotices();
  const { home } = config;
  const store = await openStore({ home, logger, onNotice: (notice) => storeNotices.tell(notice) });
  const http = createWorkerHttp(config, config.proxy);
  const workerVersion = packageVersion(import.meta.url);
  const worker = createWorker(config, identity, { store, http, storeNotices, workerVersion }, logger);

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
  // A parent with an IPC channel takes this process with it, also when it ended before the listener was added.
  process.once('disconnect', () => stop('SIGTERM'));
  if (process.connected === false) stop('SIGTERM');

  if (!stopping) await worker.start();
  const { workerId, bootId } = identity;
  logger.info({ workerId, bootId, host: config.host ?? null, pool: config.pool }, 'worker takes jobs');
}

await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(SIGNAL_EXIT_CODE);
});
