import { stat } from 'node:fs/promises';
import { StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { openStore } from '#store/open-store';
import type { ModelOutcome } from '../../bundle/enter-models.ts';
import { installBundles, type InstallReport } from '../../bundle/install-bundles.ts';
import { listed, namesOf } from '../../bundle/listed.ts';
import { cliErrorOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { longWorkOf } from '../../terminal/long-work.ts';
import type { ProgressMode } from '../../terminal/progress.ts';

/** Copies models from bundles into this host's store, without API, Redis or Postgres; may run beside a worker. */
export async function bundleInstall(
  paths: readonly string[],
  options: { readonly json?: boolean; readonly progress: ProgressMode },
  context: CommandContext,
): Promise<void> {
  for (const path of paths) await refuseNoFile(path);
  const label = paths.length === 1 ? paths[0]! : `${paths.length} bundles`;
  const work = longWorkOf(options.progress, context);
  try {
    const store = await openStore({ home: haulierHome(context.env) });
    const report = await installBundles(paths, store, {
      signal: context.signal,
      onProgress: (doneBytes, totalBytes, note) => work.update({ label, doneBytes, totalBytes, note }),
    });
    work.end();
    context.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
    const failures = failuresOf(report);
    if (failures.length > 0) throw new CliError(EXIT.failed, `not everything was installed:\n${listed(failures)}`);
  } catch (error) {
    throw cliErrorOf(error);
  } finally {
    work.end();
  }
}

async function refuseNoFile(path: string): Promise<void> {
  const facts = await stat(path).catch((error: unknown) => {
    throw new CliError(EXIT.usage, `"${path}" cannot be read: ${StorageError.from(error, path).message}`);
  });
  if (!facts.isFile())
    throw new CliError(EXIT.usage, `"${path}" is no file: write the path of the bundle, such as models.tar`);
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
  if ((state === 'installed' || state === 'kept') && !shown) notes.push(`applications still see ${shownVersion}`);
  if (unprovenCids.length > 0) notes.push(`the CID of ${namesOf(unprovenCids)} is left out: the bytes do not prove it`);
  return notes.map((note) => `; ${note}`).join('');
}

function failuresOf({ models, problems }: InstallReport): string[] {
  const failures = models.flatMap(({ name, version, state, missing, reason }) => {
    if (state === 'refused') return [`${name}@${version} is refused: ${reason}`];
    if (state === 'incomplete')
      return [`${name}@${version} is incomplete: the bundles do not have ${namesOf(missing)}`];
    return [];
  });
  return [...problems, ...failures];
}
