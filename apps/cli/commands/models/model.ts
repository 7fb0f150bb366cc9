import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { parseModel } from '../../typed.ts';
import { formatTable } from '../../terminal/table.ts';

/** Lists the models that the API knows. */
export async function modelList(options: { json?: boolean }, context: CommandContext): Promise<void> {
  const models = await withApi(() => clientFrom(context.env).listModels());
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ models })}\n`);
    return;
  }
  const rows = models.map((model) => [
    model.name,
    model.type,
    model.currentVersion ?? '',
    model.pinnedVersion === null ? '' : 'pinned',
    model.newerVersion === null ? '' : `newer: ${model.newerVersion}`,
  ]);
  context.stdout.write(`${formatTable(['model', 'type', 'current', '', ''], rows, [], context.stdout.columns)}\n`);
}

/** Prints the manifest of `name` or `name@version`. */
export async function modelShow(what: string, context: CommandContext): Promise<void> {
  const { name, version } = parseModel(what);
  const client = clientFrom(context.env);
  const wanted = version ?? (await withApi(() => client.getModel(name))).currentVersion;
  if (!wanted)
    throw new CliError(EXIT.nothingToDo, `model "${name}" has no version yet: add one with haulier model add`);
  const { manifest } = await withApi(() => client.getVersion(name, wanted));
  context.stdout.write(`${JSON.stringify(manifest, undefined, 2)}\n`);
}

export async function modelPin(what: string, pinned: boolean, context: CommandContext): Promise<void> {
  const { name, version } = parseModel(what);
  if (pinned && !version) throw new CliError(EXIT.usage, `"${what}" has no version: write ${name}@VERSION`);
  const client = clientFrom(context.env);
  await withApi(() => (pinned ? client.pinModel(name, version!) : client.unpinModel(name)));
}
