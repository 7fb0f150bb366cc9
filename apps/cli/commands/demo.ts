import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createClient } from '#client/client';
import type { DownloadDetail } from '#contracts/http/downloads';
import type { ManifestInput } from '#contracts/manifest';
import { formatBytes } from '#core/units';
import { withApi } from '../api-client.ts';
import type { CommandContext } from '../context.ts';
import { makeDemoFile, type DemoFile } from '../demo/demo-file.ts';
import { startDemoOrigin, type DemoOrigin } from '../demo/origin.ts';
import { showOffline, showRepair, showVersionCheck } from '../demo/scenes.ts';
import { DEMO_COMMIT, DEMO_HOST, DEMO_REPO, type DemoStage } from '../demo/stage.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { haulierHome } from '../stack/stack-config.ts';
import { startStack } from '../stack/start-stack.ts';
import { createProgress } from '../terminal/progress.ts';
import { formatTable } from '../terminal/table.ts';
import { untilAborted } from './up.ts';
import { watchDownloads } from './watch-downloads.ts';

const DEFAULT_PORT = 7420;

/** What the demo puts on the host: one file that takes a moment, one middling, one tiny. */
const FILES = [
  { path: 'onnx/decoder.bin', sizeBytes: 300_000_000, seed: 'haulier-demo-300mb' },
  { path: 'onnx/encoder.bin', sizeBytes: 20_000_000, seed: 'haulier-demo-20mb' },
  { path: 'config.bin', sizeBytes: 3_000, seed: 'haulier-demo-3kb' },
];

interface FileReport {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly source: string;
  readonly bytesPerSecond: number;
  readonly outcome: string;
  readonly where: string;
}

/** Shows the main job for real: origin, API, queue, worker, verified files; then stays up unless `--once`. */
export async function demo(options: { once?: boolean; json?: boolean }, context: CommandContext): Promise<void> {
  const home = join(haulierHome(context.env), 'demo');
  const report = (step: string): void => void context.stderr.write(`demo: ${step}\n`);
  const stops: (() => Promise<void>)[] = [];
  try {
    const stage = await prepare(home, context, report, stops);
    const files = await downloadModel(stage);
    if (!options.json) context.stdout.write(`${tableOf(files)}\n`);
    const versionCheck = await showVersionCheck(stage);
    const repair = await showRepair(stage);
    const offline = await showOffline(stage);
    if (options.json) context.stdout.write(`${JSON.stringify({ files, versionCheck, repair, offline })}\n`);
    if (!options.once) await stayUp(stage, context);
  } finally {
    report('stopping');
    for (const stop of stops.reverse()) await stop();
  }
}

async function prepare(
  home: string,
  context: CommandContext,
  report: (step: string) => void,
  stops: (() => Promise<void>)[],
): Promise<DemoStage> {
  const hostHome = join(home, 'host');
  for (const folder of [hostHome, join(home, 'air-gapped')]) await rm(folder, { recursive: true, force: true });
  await mkdir(join(home, 'origin'), { recursive: true, mode: 0o700 });
  const origin = await startDemoOrigin(DEMO_REPO);
  stops.push(() => origin.stop());
  const token = `demo-${randomBytes(24).toString('base64url')}`;
  const port = Number(context.env['HAULIER_PORT'] ?? ((await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : 0));
  const stack = await startStack({
    home,
    distDir: context.distDir,
    databaseUrl: undefined,
    redisUrl: undefined,
    bind: '127.0.0.1',
    port,
    env: { ...context.env, HAULIER_ADMIN_TOKEN: token },
    workers: [{ name: 'worker', env: workerEnv(hostHome, origin) }],
    report,
  });
  stops.push(() => stack.stop());
  report('making three files at the local origin');
  const files = await makeFiles(join(home, 'origin'));
  origin.publish(DEMO_COMMIT, files);
  report(`API ${stack.apiUrl}/docs   queue board ${stack.apiUrl}/admin/queues (password: ${token})`);
  const client = createClient({ baseUrl: stack.apiUrl, token });
  return { client, stack, origin, files, model: `demo-${Date.now().toString(36)}`, hostHome, context, report };
}

async function makeFiles(folder: string): Promise<DemoFile[]> {
  const files: DemoFile[] = [];
  for (const { path, sizeBytes, seed } of FILES) files.push(await makeDemoFile(folder, path, sizeBytes, seed));
  return files;
}

const workerEnv = (hostHome: string, origin: DemoOrigin): NodeJS.ProcessEnv => ({
  HAULIER_HOME: hostHome,
  HAULIER_HOST: DEMO_HOST,
  IPFS_GATEWAYS: origin.url,
  HF_ENDPOINT: origin.url,
});

async function downloadModel(stage: DemoStage): Promise<FileReport[]> {
  const { client, context, report } = stage;
  await withApi(() => client.publishVersion(manifestOf(stage)));
  report(`asking the API for ${stage.model} on ${DEMO_HOST}`);
  const display = createProgress('auto', context.stderr, context.env, () => performance.now());
  const downloads = await withApi(async () => {
    const created = await client.createDownloads({ model: stage.model, host: DEMO_HOST });
    return watchDownloads(client, created.downloads, display, context.signal);
  });
  const failed = downloads.find((download) => download.status !== 'success');
  if (failed) throw new CliError(EXIT.failed, `${failed.file} ended as ${failed.status}: ${failed.message}`);
  return downloads.map((download) => fileReport(stage, download));
}

/** The two larger files have a CID and come from the gateway; the smallest is known by its digest and comes from the hub. */
function manifestOf({ model, files }: DemoStage): ManifestInput {
  return {
    name: model,
    type: 'demo',
    version: DEMO_COMMIT,
    files: files.map(({ path, sizeBytes, sha256, cid }, index) => ({
      path,
      sizeBytes,
      sha256,
      ...(index < 2 ? { cid } : {}),
    })),
    sources: [{ kind: 'huggingface', repo: DEMO_REPO, revision: DEMO_COMMIT }],
  };
}

function fileReport(stage: DemoStage, download: DownloadDetail): FileReport {
  const expected = stage.files.find((file) => file.path === download.file);
  if (download.sha256 !== expected?.sha256 || download.bytes !== expected.sizeBytes)
    throw new CliError(EXIT.failed, `${download.file} is not the file at the origin`);
  const ms = Date.parse(download.completedAt!) - Date.parse(download.startedAt!);
  return {
    path: download.file,
    sizeBytes: download.bytes,
    sha256: download.sha256,
    source: download.source ?? '',
    bytesPerSecond: Math.round(download.bytes / (Math.max(1, ms) / 1000)),
    outcome: download.outcome ?? '',
    where: download.path ?? '',
  };
}

function tableOf(files: readonly FileReport[]): string {
  const rows = files.map((file) => [
    file.path,
    formatBytes(file.sizeBytes),
    file.sha256,
    file.source,
    file.outcome,
    (file.bytesPerSecond / 1e6).toFixed(1),
    file.where,
  ]);
  return formatTable(['path', 'bytes', 'sha256', 'source', 'outcome', 'MB/s', 'where'], rows, [1, 5]);
}

async function stayUp({ stack, report }: DemoStage, context: CommandContext): Promise<void> {
  report(
    `still up: API ${stack.apiUrl}  docs ${stack.apiUrl}/docs  queue board ${stack.apiUrl}/admin/queues  (Ctrl-C ends it)`,
  );
  const ended = await Promise.race([stack.failed, untilAborted(context.signal)]);
  if (ended)
    throw new CliError(EXIT.failed, `the ${ended.name} ended by itself; its log ends with:\n${await ended.logTail()}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return true;
  } catch {
    return false; // somebody listens there: the demo takes another port
  } finally {
    server.close();
  }
}
