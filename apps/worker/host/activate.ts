import { join } from 'node:path';
import type { ActivateOrder } from '#contracts/worker/worker-events';
import { messageOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { Store } from '#store/open-store';
import { runHostCommand, type HostCommand } from './run-command.ts';

export interface ActivateDeps {
  readonly store: Pick<Store, 'activate' | 'records' | 'paths'>;
  /** What rollouts may run here, by name. */
  readonly commands: ReadonlyMap<string, HostCommand>;
  /** PATH of those programs. */
  readonly commandPath: string;
  readonly logger: Logger;
}

/** Undefined when the models are shown; else why not. */
export type ActivationFailure =
  | {
      readonly errorKind: 'command_unknown' | 'not_stored' | 'pinned' | 'before_command' | 'after_command' | 'storage';
      readonly message: string;
    }
  | undefined;

/**
 * Shows versions that this host has stored: the command before, each view in one go, the command after. A second run of the same order
 * runs the commands again and changes no view.
 *
 * @returns why the order failed; a failure before the views change leaves the versions that are shown now
 * @throws the signal's reason when the worker stops; the order stays then
 */
export async function activate(
  deps: ActivateDeps,
  order: ActivateOrder,
  signal: AbortSignal,
): Promise<ActivationFailure> {
  const { store, commands } = deps;
  for (const name of [order.before, order.after])
    if (name !== undefined && !commands.has(name))
      return { errorKind: 'command_unknown', message: unknown(name, deps) };
  const refused = await refusal(deps, order);
  if (refused !== undefined) return refused;
  const previous = await store.records();
  const versions = order.models.map((model) => ({ ...model, previous: previous.get(model.name)?.version ?? '' }));
  const before = await runAll(deps, order.before, versions, signal);
  if (before !== undefined) return { errorKind: 'before_command', message: before };
  try {
    for (const { name, version } of order.models) await store.activate(name, version);
  } catch (error) {
    const errorKind = error instanceof StorageError ? 'storage' : 'not_stored';
    return { errorKind, message: messageOf(error) };
  }
  const after = await runAll(deps, order.after, versions, signal);
  if (after !== undefined) return { errorKind: 'after_command', message: `${after}; the new version is shown` };
  deps.logger.info({ rollout: order.id, models: order.models }, 'versions are shown');
  return undefined;
}

const unknown = (name: string, { commands }: ActivateDeps): string =>
  `this worker has no command "${name}"; HAULIER_COMMANDS has ${[...commands.keys()].join(', ') || 'none'}`;

async function refusal({ store }: ActivateDeps, { models }: ActivateOrder): Promise<ActivationFailure> {
  const records = await store.records();
  for (const { name, version } of models) {
    const record = records.get(name);
    if (!record?.versions.has(version))
      return { errorKind: 'not_stored', message: `${name}@${version} is not stored on this host` };
    const shown = record.version;
    if (shown !== null && shown !== version && record.versions.get(shown)?.pinned)
      return { errorKind: 'pinned', message: `version ${shown} of ${name} is pinned on this host: unpin it first` };
  }
  return undefined;
}

interface ShownVersion {
  readonly name: string;
  readonly version: string;
  /** Shown before; empty where none was. */
  readonly previous: string;
}

/** Once for each model. @returns why the first one failed */
async function runAll(
  { store, commands, commandPath, logger }: ActivateDeps,
  command: string | undefined,
  versions: readonly ShownVersion[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (command === undefined) return undefined;
  for (const { name, version, previous } of versions) {
    const { error } = await runHostCommand(
      commands.get(command)!,
      {
        PATH: commandPath,
        HAULIER_MODEL: name,
        HAULIER_VERSION: version,
        HAULIER_PREVIOUS_VERSION: previous,
        HAULIER_MODEL_FOLDER: join(store.paths.models, name),
      },
      signal,
    );
    signal.throwIfAborted();
    logger.info({ command, model: name, version, error }, 'command ended');
    if (error !== undefined) return `command ${command} for ${name}@${version}: ${error}`;
  }
  return undefined;
}
