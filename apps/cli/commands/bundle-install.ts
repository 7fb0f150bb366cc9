import { stat } from 'node:fs/promises';
import { StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { openStore } from '#store/open-store';
import { bundleProgress } from '../bundle/bundle-progress.ts';
import type { ModelOutcome } from '../bundle/enter-models.ts';
import { installBundles, type InstallReport } from '../bundle/install-bundles.ts';
import { listed, namesOf } from '../bundle/listed.ts';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { haulierHome } from '../stack/stack-config.ts';
import type { ProgressMode } from '../terminal/progress.ts';

/** Brings models from bundles into this host's store, without API, Redis or Postgres; may run beside a worker. */
export async function bundleInstall(
  paths: readonly string[],
  options: { readonly json?: boolean; readonly progress: ProgressMode },
  context: CommandContext,
): Promise<void> {
  for (const path of paths) await refuseNoFile(path);
  const show = bundleProgress(paths.length === 1 ? paths[0]! : `${paths.length} bundles`, options.progress, context);
  try {
    const store = await openStore({ home: haulierHome(context.env) });
    const report = await installBundles(paths, store, { signal: context.signal, onProgress: show.update });
    show.end();
    context.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
    const failures = failuresOf(report);
    if (failures.length > 0) throw new CliError(EXIT.failed, `not everything was installed:\n${listed(failures)}`);
  } catch (error) {
    throw cliErrorOf(error);
  } finally {
    show.end();
  }
}

async function refuseNoFile(path: string): Promise<void> {
  const facts = await stat(path).catch((error: unknown) => {
    throw new CliError(EXIT.usage, `"${path}" cannot be read: ${StorageError.from(error, path).message}`);
  });
  if (!facts.isFile())
    throw new CliError(EXIT.usage, `"${path}" is no file: give the bundle itself, such as models.tar`);
}

function textOf({ models, written, kept }: InstallReport): string {
  const lines = models.map(
    (model) =>
      `${model.state}  ${model.name}@${model.version}  ${model.files} files, ${formatBytes(model.sizeBytes)}${noteOf(model)}\n`,
  );
  const total = `${written.contents} contents, ${formatBytes(written.bytes)} copied; ${kept.contents} were here\n`;
  return `${lines.join('')}${total}`;
}

function noteOf({ state, shown, shownVersion, unprovenCids }: ModelOutcome): string {
  const notes: string[] = [];
  if ((state === 'installed' || state === 'kept') && !shown) notes.push(`${shownVersion} stays the one that is shown`);
  if (unprovenCids.length > 0)
    notes.push(`without the CID of ${namesOf(unprovenCids)}, to which the bytes do not lead`);
  return notes.map((note) => `; ${note}`).join('');
}

function failuresOf({ models, problems }: InstallReport): string[] {
  const failures = models.flatMap(({ name, version, state, missing, reason }) => {
    if (state === 'refused') return [`${name}@${version} is refused: ${reason}`];
    if (state === 'incomplete') return [`${name}@${version} is incomplete, it lacks ${namesOf(missing)}`];
    return [];
  });
  return [...problems, ...failures];
}
