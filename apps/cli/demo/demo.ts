import type { ManifestInput } from '#contracts/manifest';
import { withApi } from '../api-client.ts';
import type { CommandContext } from '../context.ts';
import { demoTable, fileReport, type FileReport } from './file-report.ts';
import { prepare } from './prepare.ts';
import { showOffline, showRepair, showVersionCheck } from './scenes.ts';
import { DEMO_COMMIT, DEMO_REPO, type DemoStage } from './stage.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { createProgress } from '../terminal/progress.ts';
import { untilAborted } from '../commands/stack/up.ts';
import { watchDownloads } from '../downloads/watch-downloads.ts';

/** Runs the whole product on this machine: origin, API, queue, worker, verified files. Stays up afterwards unless `--once` is given. */
export async function demo(options: { once?: boolean; json?: boolean }, context: CommandContext): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const stage = await prepare(context, stops);
    const files = await downloadModel(stage);
    const { isTTY, columns } = context.stdout;
    if (!options.json) context.stdout.write(`\n${demoTable(files, isTTY ? columns : undefined)}\n\n`);
    const scenes = await withApi(async () => ({
      versionCheck: await showVersionCheck(stage),
      repair: await showRepair(stage),
      offline: await showOffline(stage),
    }));
    if (options.json) context.stdout.write(`${JSON.stringify({ files, ...scenes })}\n`);
    if (!options.once) await stayUp(stage, context);
  } finally {
    if (stops.length > 0) context.stderr.write('demo: stopping\n');
    for (const stop of stops.reverse()) await stop();
  }
}

async function downloadModel(stage: DemoStage): Promise<FileReport[]> {
  const { client, context, report, model, host } = stage;
  await withApi(() => client.publishVersion(manifestOf(stage)));
  report(`asking the API for the model ${model} on ${host}`);
  const display = createProgress('auto', context.stderr, context.env, () => performance.now());
  const downloads = await withApi(async () => {
    const created = await client.createDownloads({ model, host, allowUnknown: true });
    return watchDownloads(client, created.downloads, display, context.signal);
  });
  const failed = downloads.find((download) => download.status !== 'success');
  if (failed) throw new CliError(EXIT.failed, `${failed.file} ended as ${failed.status}: ${failed.message}`);
  return downloads.map((download) => fileReport(stage.files, download));
}

/** The two larger files have a CID and come from the gateway; the smallest has a digest only and comes from the hub. */
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

async function stayUp({ stack, token }: DemoStage, context: CommandContext): Promise<void> {
  const lines = [
    'still up, until Ctrl-C:',
    `  API          ${stack.apiUrl}/api/status`,
    `  API docs     ${stack.apiUrl}/docs`,
    `  queue board  ${stack.apiUrl}/admin/queues   (password: the token)`,
    `  admin token  ${token}`,
  ];
  context.stderr.write(`demo: ${lines.join('\n')}\n`);
  const ended = await Promise.race([stack.failed, untilAborted(context.signal)]);
  if (ended)
    throw new CliError(EXIT.failed, `the ${ended.name} ended by itself; its log says:\n${await ended.logTail()}`);
}
