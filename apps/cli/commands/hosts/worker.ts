import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '#core/units';
import { filesOf, type ModelRecords } from '#store/models/model-records';
import { storePaths } from '#store/layout';
import { openStore, type Store } from '#store/open-store';
import type { SweepAction } from '#store/upkeep/sweep-plan';
import { SWEEP_SETTING_NAMES, sweepLimits } from '#store/upkeep/sweep-settings';
import type { VerifyReport } from '#store/upkeep/verify';
import { cliErrorOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT, ProcessEnded } from '../../exit-code.ts';
import { settingsFrom } from '../../settings.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { longWorkOf } from '../../terminal/long-work.ts';
import type { ProgressMode } from '../../terminal/progress.ts';
import { formatTable } from '../../terminal/table.ts';

/**
 * Runs a worker in the foreground. The worker has its own process group, so that Ctrl-C reaches it once, through this process, and an
 * IPC channel, so that it stops when this process is gone.
 *
 * @throws ProcessEnded with its exit code
 */
export async function workerRun(context: CommandContext): Promise<void> {
  const script = join(context.distDir, 'apps/worker/main.js');
  const child = spawn(process.execPath, ['--enable-source-maps', script], {
    env: context.env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const forward = (): void => void child.kill(context.signal.reason as NodeJS.Signals);
  context.signal.addEventListener('abort', forward, { once: true });
  if (context.signal.aborted) forward();
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  throw new ProcessEnded(code ?? 128 + constants.signals[signal!]);
}

/** Hashes the files of the store, of all models or of one. */
export async function workerVerify(
  model: string | undefined,
  options: { readonly json?: boolean; readonly progress: ProgressMode },
  context: CommandContext,
): Promise<void> {
  const store = await hostStore(context);
  const records = await store.records();
  if (model !== undefined && !records.has(model))
    throw new CliError(
      EXIT.nothingToDo,
      `model "${model}" is not on this host; it has: ${[...records.keys()].join(', ') || 'none'}`,
    );
  const report = await verified(store, model, await bytesOf(store, records, model), options.progress, context);
  const problems = report.problems.map((problem) => ({ ...problem, files: usesOf(records, problem.sha256) }));
  if (options.json) context.stdout.write(`${JSON.stringify({ ...report, problems })}\n`);
  else {
    const rows = [
      ...problems.map(({ files, sha256, reason, message }) => [files.join(', ') || sha256, reason, message]),
      ...report.missing.map(({ model: name, version, path, why }) => [`${name}@${version}/${path}`, 'missing', why]),
    ];
    if (rows.length > 0)
      context.stdout.write(`${formatTable(['file', 'wrong', 'found'], rows, [], context.stdout.columns)}\n`);
    for (const view of report.repairedViews) context.stdout.write(`view repaired: ${view}\n`);
    context.stdout.write(
      `${report.checkedFiles} contents, ${formatBytes(report.checkedBytes)} are right, ${rows.length} are wrong\n`,
    );
  }
  if (problems.length > 0)
    throw new CliError(EXIT.failed, 'the wrong files are in quarantine; the next request for them fetches them again');
  if (report.missing.length > 0)
    throw new CliError(EXIT.failed, 'models are incomplete; ask for them again, and what is missing is fetched');
}

/** Cleans the store by its rules, or lists what that would delete. */
export async function workerGc(
  options: { readonly dryRun?: boolean; readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const dryRun = options.dryRun ?? false;
  const limits = sweepLimits(settingsFrom(context.env, ...SWEEP_SETTING_NAMES));
  const store = await hostStore(context);
  const report = await store.sweep({ ...limits, dryRun }).catch(refusedByDisk);
  const actions = dryRun ? report.actions : report.done;
  const freedBytes = actions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (options.json) {
    const { storeBytes, warning } = report;
    context.stdout.write(`${JSON.stringify({ dryRun, actions, freedBytes, storeBytes, warning: warning ?? null })}\n`);
    return;
  }
  const rows = actions.map((action) => [whatOf(action), action.reason, formatBytes(action.sizeBytes)]);
  if (rows.length > 0)
    context.stdout.write(`${formatTable(['what', 'why', 'bytes'], rows, [2], context.stdout.columns)}\n`);
  const verb = dryRun ? 'would delete' : 'deleted';
  context.stdout.write(
    `${verb} ${rows.length} items, ${formatBytes(freedBytes)} of ${formatBytes(report.storeBytes)}\n`,
  );
  if (report.warning !== undefined) context.stderr.write(`warning: ${report.warning}\n`);
}

/** @throws CliError for a folder without a store: a mistyped one would be made, and would be found in order. */
async function hostStore(context: CommandContext): Promise<Store> {
  const home = haulierHome(context.env);
  if (!existsSync(storePaths(home).version))
    throw new CliError(EXIT.usage, `${home} holds no store: set HAULIER_HOME to the folder that the worker has`);
  return openStore({ home }).catch(refusedByDisk);
}

function refusedByDisk(error: unknown): never {
  throw cliErrorOf(error);
}

async function verified(
  store: Store,
  model: string | undefined,
  totalBytes: number,
  mode: ProgressMode,
  context: CommandContext,
): Promise<VerifyReport> {
  const { signal } = context;
  const work = longWorkOf(mode, context);
  let doneBytes = 0;
  const pace = (count: number): void => {
    doneBytes += count;
    work.update({ label: model ?? 'store', doneBytes, totalBytes, note: 'hashing' });
  };
  try {
    return await store.verify({ model, signal, pace }).catch(refusedByDisk);
  } finally {
    work.end();
  }
}

/** Contents that several files share are hashed once. */
async function bytesOf(store: Store, records: ModelRecords, model: string | undefined): Promise<number> {
  if (model === undefined) return (await store.inventory()).storeBytes;
  const uses = [...filesOf(records)].filter((use) => use.model === model);
  const sizes = new Map(uses.map(({ file }) => [file.sha256, file.sizeBytes]));
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

const usesOf = (records: ModelRecords, sha256: string): string[] =>
  [...filesOf(records)]
    .filter(({ file }) => file.sha256 === sha256)
    .map(({ model, version, path }) => `${model}@${version}/${path}`);

function whatOf(action: SweepAction): string {
  switch (action.delete) {
    case 'file':
      return action.path;
    case 'partial':
      return `partial ${action.key}`;
    case 'version':
      return `${action.model}@${action.version}`;
    case 'blob':
      return `content ${action.sha256}`;
  }
}
