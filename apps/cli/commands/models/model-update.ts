import type { ModelDetail, VersionDetail } from '#contracts/http/models';
import type { HubRepoType } from '#core/text/hub-name';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import type { ProgressMode } from '../../terminal/progress.ts';
import { readLine } from '../../terminal/read-line.ts';
import { modelAdd } from './model-add.ts';

export interface ModelUpdateOptions {
  readonly publish?: boolean;
  readonly keep?: boolean;
  readonly progress: ProgressMode;
}

const QUESTION = 'Publish it here (p), keep the current version and ask no more (k), or decide later (enter)? ';

/**
 * Says which newer version of a model was seen, and asks what shall become of it. Nothing is fetched to any host: a published version is
 * rolled out by `haulier deploy`.
 */
export async function modelUpdate(name: string, options: ModelUpdateOptions, context: CommandContext): Promise<void> {
  if (options.publish && options.keep) throw new CliError(EXIT.usage, 'give --publish or --keep, not both');
  const client = clientFrom(context.env);
  const model = await withApi(() => client.getModel(name));
  const { newerVersion, currentVersion } = model;
  if (newerVersion === null || currentVersion === null) {
    context.stdout.write(`${name} has no newer version that a check has seen${pinnedNote(model)}\n`);
    return;
  }
  context.stdout.write(`${name}: a newer version was seen: ${newerVersion} (current: ${currentVersion})\n`);
  const answer = options.publish ? 'p' : options.keep ? 'k' : await ask(context);
  if (answer === 'k') {
    await withApi(() => client.pinModel(name, currentVersion));
    context.stdout.write(`${name} stays on ${currentVersion}; haulier model unpin ${name} takes that back\n`);
  } else if (answer === 'p') {
    await publish(await withApi(() => client.getVersion(name, currentVersion)), newerVersion, options, context);
    context.stdout.write(`roll it out: haulier deploy ${name}@${newerVersion} --hosts SELECTOR --canary 1 --wait\n`);
  } else context.stdout.write('nothing was changed\n');
}

const pinnedNote = ({ pinnedVersion }: ModelDetail): string =>
  pinnedVersion === null ? '' : `: it is pinned to ${pinnedVersion}, and nothing newer is reported for a pinned model`;

async function ask(context: CommandContext): Promise<string> {
  if (context.stdin.isTTY !== true)
    throw new CliError(EXIT.usage, 'there is no terminal to ask on: give --publish or --keep');
  return (await readLine(QUESTION, context)).toLowerCase();
}

/** The new version is read from the hub repository that the current one names, under the commit that the check saw. */
async function publish(
  { manifest }: VersionDetail,
  newer: string,
  { progress }: ModelUpdateOptions,
  context: CommandContext,
): Promise<void> {
  const hub = [...(manifest.sources ?? []), ...manifest.files.flatMap(({ sources = [] }) => sources)].find(
    (source) => source.kind === 'huggingface',
  );
  if (hub === undefined)
    throw new CliError(
      EXIT.nothingToDo,
      `${manifest.name}@${manifest.version} does not come from a hub: publish the newer version with haulier model add`,
    );
  const include = manifest.files.map(({ path }) => path);
  const repoType: { repoType?: HubRepoType } = hub.repoType === undefined ? {} : { repoType: hub.repoType };
  const request = { hf: `${hub.repo}@${newer}`, version: newer, type: manifest.type, include, progress, ...repoType };
  await modelAdd(manifest.name, request, context);
}
