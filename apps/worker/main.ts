import { packageVersion } from '#os/package-folder';
import { programLog } from '#os/program-log';
import { signerOf } from '#queue/events/batch-signature';
import { openTracing } from '#tracing/open-tracing';
import { openStore } from '#store/open-store';
import { messageOf } from '#core/error-facts';
import { checkWorker } from './check.ts';
import { readEnrolSettings, readWorkerConfig, type EnrolSettings, type WorkerConfig } from './config.ts';
import { nextBootNumber } from './enrolment/boot-number.ts';
import { enrol, enrolOnce, enrolledSentence } from './enrolment/enrol.ts';
import { StoreNotices } from './host/store-notices.ts';
import { createWorker, type WorkerResources } from './worker.ts';
import { holdIdentity } from './worker-identity.ts';
import { createWorkerHttp } from './downloads/worker-sources.ts';

const SIGNAL_EXIT_CODE = 1;

async function main(): Promise<void> {
  const wish = readEnrolSettings(process.env);
  if (process.argv.includes('--enrol')) return enrolAndEnd(wish);
  const isCheck = process.argv.includes('--check');
  const enrolledNow = wish !== undefined && !isCheck && (await enrolOnce(wish));
  const config = readWorkerConfig(process.env);
  if (isCheck) {
    process.stdout.write(`${await checkWorker(config)}\n`);
    return;
  }
  const logger = await programLog({
    ...{ name: 'haulier-worker', level: config.logLevel },
    ...{ output: process.stdout, colours: !process.env['NO_COLOR'] },
  });
  for (const warning of config.warnings) logger.warn(warning);
  if (enrolledNow) logger.info({ host: config.host }, 'this host enrolled');
  const identity = await holdIdentity(config.home);
  const storeNotices = new StoreNotices();
  const store = await openStore({ home: config.home, logger, onNotice: (notice) => storeNotices.tell(notice) });
  const http = createWorkerHttp(config, config.proxy);
  const workerVersion = packageVersion(import.meta.url);
  const seal = await sealOf(config);
  let stopping = false;
  const stop = (reason: string, exitCode = 0): void => {
    if (stopping) process.exit(SIGNAL_EXIT_CODE);
    stopping = true;
    logger.info({ reason }, 'worker stops; a signal now ends it at once');
    worker.stop().then(
      () => process.exit(exitCode),
      (err: unknown) => {
        logger.error({ err }, 'worker did not stop in order');
        process.exit(SIGNAL_EXIT_CODE);
      },
    );
  };
  const onHostLost = (error: Error): void => {
    logger.error(error.message);
    if (!stopping) stop('host lost', SIGNAL_EXIT_CODE);
  };
  const tracing = await openTracing(config.tracing, 'haulier-worker', workerVersion);
  const resources = { store, http, storeNotices, tracing, workerVersion, seal, onHostLost };
  const worker = createWorker(config, identity, resources, logger);
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // A parent with an IPC channel takes this process with it, also when it ended before the listener was added.
  process.once('disconnect', () => stop('SIGTERM'));
  if (process.connected === false) stop('SIGTERM');

  if (!stopping) await worker.start();
  const { workerId, bootId } = identity;
  logger.info({ workerId, bootId, host: config.host ?? null, pool: config.pool }, 'worker takes jobs');
}

/** Of an enrolled host. */
async function sealOf({ home, privateKey }: WorkerConfig): Promise<WorkerResources['seal']> {
  if (privateKey === undefined) return undefined;
  return { sign: signerOf(privateKey), boot: await nextBootNumber(home, Date.now()) };
}

async function enrolAndEnd(wish: EnrolSettings | undefined): Promise<void> {
  if (wish === undefined)
    throw new Error('HAULIER_ENROLMENT_TOKEN is missing: make one with haulier token create --enrol');
  const enrolment = await enrol(wish);
  process.stdout.write(`${enrolledSentence(enrolment, wish.home)}\n`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(SIGNAL_EXIT_CODE);
});
