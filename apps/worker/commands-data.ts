import { CommandsFile } from '#contracts/worker/commands-file';
import { readDataFile } from './data-file.ts';
import type { HostCommand } from './host/run-command.ts';

/**
 * Reads which programs rollouts may run on this host (HAULIER_COMMANDS).
 *
 * @throws RangeError that names the file, and each field with its value and what would be right
 */
export function readCommands(path: string): ReadonlyMap<string, HostCommand> {
  const { commands } = readDataFile(path, CommandsFile);
  return new Map(Object.entries(commands).map(([name, { run, timeout }]) => [name, { run, timeoutMs: timeout }]));
}
