import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '#core/units';
import { bundleCreate } from '../commands/bundles/bundle-create.ts';
import { watchDownloads } from '../downloads/watch-downloads.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { createProgress } from '../terminal/progress.ts';
import { eventually } from './eventually.ts';
import { sourcesAt } from './ground.ts';
import { DEMO_COMMIT, DEMO_REPO, type DemoStage } from './stage.ts';

export interface VersionCheckReport {
  readonly model: string;
  readonly current: string;
  readonly newer: string;
  /** Always 0: a newer version is reported and not fetched. */
  readonly bytesDownloaded: number;
}

/** Publishes a second version at the origin: the API flags it and warns, and downloads nothing. */
export async function showVersionCheck(stage: DemoStage): Promise<VersionCheckReport> {
  const { client, origin, files, model, report } = stage;
  const sentBefore = origin.bytesSent();
  origin.publish('b'.repeat(40), files);
  await client.checkModel(model);
  const newer = await eventually(stage, 'the newer version to be noticed', async () => {
    const { newerVersions } = await client.getStatus();
    return newerVersions.find((flag) => flag.model === model)?.newer;
  });
  report(`a newer version (${newer.slice(0, 8)}…) is at the origin: flagged, not downloaded`);
  return { model, current: DEMO_COMMIT, newer, bytesDownloaded: origin.bytesSent() - sentBefore };
}

export interface RepairReport {
  readonly path: string;
  readonly fileBytes: number;
  /** Bytes that the repair requested from the origin. */
  readonly bytesFetched: number;
}

/** Flips a bit of a published file: the host finds it, quarantines the file, and repairs it by fetching only the bad leaf. */
export async function showRepair(stage: DemoStage): Promise<RepairReport> {
  const { client, origin, model, host, hostHome, report } = stage;
  const file = stage.files[0]!;
  const path = join(hostHome, 'models', model, file.path);
  await flipByte(path, Math.floor(file.sizeBytes / 2));
  const sentBefore = origin.bytesSent();
  const [before] = (await client.listDownloads({ model, host })).downloads.filter((one) => one.file === file.path);
  report(`a bit of ${file.path} is flipped on the disk; the host verifies its files`);
  await client.verifyHost(host, model);
  await eventually(stage, 'the corrupt file to be repaired', async () => {
    const download = await client.getDownload(before!.id);
    return download.status === 'success' && download.completedAt !== before!.completedAt;
  });
  const bytesFetched = origin.bytesSent() - sentBefore;
  report(`found, quarantined and repaired by fetching ${formatBytes(bytesFetched)} of ${formatBytes(file.sizeBytes)}`);
  return { path: file.path, fileBytes: file.sizeBytes, bytesFetched };
}

export interface OfflineReport {
  /** Outcome on the host that has the files. */
  readonly cache: string;
  /** Outcome on a host that has only a bundle. */
  readonly bundled: string;
}

/** Stops every network source: the cache still serves, and a bundle provisions an empty host. */
export async function showOffline(stage: DemoStage): Promise<OfflineReport> {
  const { client, origin, files, model, host, hostHome, stack, context, report } = stage;
  const bundle = join(hostHome, 'demo-models.tar');
  const quiet = { ...context, env: { ...context.env, HAULIER_HOME: hostHome }, stdout: { write: () => true } };
  await bundleCreate([model], { output: bundle, progress: 'none' }, quiet);
  await origin.stop();
  report('every network source is stopped');

  const again = `${model}-again`;
  await client.publishVersion({
    name: again,
    version: DEMO_COMMIT,
    files: files.map(({ path, sizeBytes, sha256 }) => ({ path, sizeBytes, sha256 })),
    sources: [{ kind: 'huggingface', repo: DEMO_REPO, revision: DEMO_COMMIT }],
  });
  const cache = await outcomeOn(stage, again, host);
  report(`the host's own store still answers: ${cache}`);

  const airGapped = `${host}-air-gapped`;
  report('a second host has only a bundle: the network sources fail, then it reads the bundle');
  const env = { HAULIER_HOME: join(hostHome, '..', 'air-gapped'), HAULIER_HOST: airGapped, HAULIER_BUNDLES: bundle };
  await stack.startWorker({ name: 'worker-air-gapped', env: { ...sourcesAt(origin), ...env } });
  const bundled = await outcomeOn(stage, model, airGapped);
  report(`it has the model now: ${bundled}`);
  return { cache, bundled };
}

/** Outcomes of the files of the model, each once. */
async function outcomeOn({ client, context }: DemoStage, model: string, host: string): Promise<string> {
  const display = createProgress('auto', context.stderr, context.env, () => performance.now());
  const { downloads } = await client.createDownloads({ model, host, allowUnknown: true });
  const ended = await watchDownloads(client, downloads, display, context.signal);
  const failed = ended.find(({ status }) => status !== 'success');
  if (failed) throw new CliError(EXIT.failed, `${failed.file} on ${host} ended as ${failed.status}: ${failed.message}`);
  return [...new Set(ended.map(({ outcome }) => outcome ?? ''))].join(', ');
}

async function flipByte(path: string, position: number): Promise<void> {
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0]! ^= 0xff;
    await file.write(byte, 0, 1, position);
    await file.sync();
  } finally {
    await file.close();
  }
}
