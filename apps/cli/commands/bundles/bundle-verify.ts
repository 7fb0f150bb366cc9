import { stat } from 'node:fs/promises';
import { StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { verifyBundle, type BundleReport } from '#sources/bundle/bundle-verify';
import { readManifests, type BundledModel } from '../../bundle/bundle-manifests.ts';
import { listed, namesOf } from '../../bundle/listed.ts';
import { cliErrorOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { longWorkOf } from '../../terminal/long-work.ts';
import type { ProgressMode } from '../../terminal/progress.ts';

/** Checks every member of a bundle against its digest, and every model against the rules of `bundle install`. */
export async function bundleVerify(
  path: string,
  options: { readonly json?: boolean; readonly progress: ProgressMode },
  context: CommandContext,
): Promise<void> {
  const totalBytes = await sizeOf(path);
  const work = longWorkOf(options.progress, context);
  try {
    const onProgress = (doneBytes: number): void => work.update({ label: path, doneBytes, totalBytes, note: '' });
    const report = await verifyBundle(path, { signal: context.signal, onProgress });
    work.end();
    const { memberCount, checkedBytes } = report;
    const { models, problems: refused } = readManifests(report.manifests, report.members);
    const names = models.map(({ name, version }) => `${name}@${version}`);
    const problems = [...report.problems, ...refused, ...incomplete(models, report)];
    if (options.json)
      context.stdout.write(
        `${JSON.stringify({ path, members: memberCount, checkedBytes, models: names, problems })}\n`,
      );
    else if (problems.length === 0)
      context.stdout.write(`${path}  ${memberCount} contents, ${formatBytes(checkedBytes)}, all right\n`);
    if (problems.length > 0) throw new CliError(EXIT.failed, `${path} is damaged:\n${listed(problems)}`);
  } catch (error) {
    throw cliErrorOf(error);
  } finally {
    work.end();
  }
}

/** Names the files of each model whose content is missing or damaged in the bundle. */
function incomplete(models: readonly BundledModel[], { members, damaged }: BundleReport): string[] {
  const right = new Set(members.map(({ sha256 }) => sha256).filter((sha256) => !damaged.has(sha256)));
  return models.flatMap(({ name, version, files }) => {
    const lost = files.filter(({ sha256 }) => !right.has(sha256)).map(({ path }) => path);
    return lost.length === 0 ? [] : [`${name}@${version} lacks ${namesOf(lost)}`];
  });
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      throw new CliError(EXIT.usage, `"${path}" cannot be read: ${StorageError.from(error, path).message}`);
    },
  );
