import type { Command } from 'commander';
import { nearestOf } from '#core/text/nearest';
import { CliError, EXIT } from './exit-code.ts';

/** Meaning of each exit code, as in docs/guide/cli.md; shown below the help of every command. */
const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  [`${EXIT.done}`, 'done'],
  [`${EXIT.failed}`, 'it failed'],
  [`${EXIT.usage}`, 'wrong usage or a bad setting'],
  [`${EXIT.notAllowed}`, 'not authenticated, or not allowed'],
  [`${EXIT.nothingToDo}`, 'not found: model, version, download or host'],
  [`${EXIT.cancelled}`, 'cancelled while the command waited'],
  [`${EXIT.unreachable}`, 'the API cannot be reached'],
  [`${EXIT.serverError}`, 'error of the server, or a bug'],
  [`${EXIT.timedOut}`, '--timeout has passed; the download continues'],
  [`${EXIT.hungUp}, ${EXIT.interrupted}, ${EXIT.terminated}`, 'ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM'],
];

/** Adds the exit codes to the help of every command, and `haulier help COMMAND…`; commander's own help takes one word only. */
export function addHelp(program: Command): void {
  const rows = EXIT_CODES.map(([code, meaning]) => `  ${code.padEnd('129, 130, 143'.length)}  ${meaning}`);
  const text = `\nExit codes:\n${rows.join('\n')}\n\nSettings come from the environment: docs/guide/configuration.md.`;
  for (const command of withCommands(program)) command.addHelpText('after', text);
  for (const command of [program, ...program.commands].filter(({ commands }) => commands.length > 0)) {
    command.helpCommand(false);
    command
      .command('help [command...]')
      .description('show the help of a command')
      .action((names: readonly string[]) => commandOf(command, names).outputHelp());
  }
}

const withCommands = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(withCommands)];

/** @throws CliError that suggests the nearest command */
function commandOf(start: Command, names: readonly string[]): Command {
  let found = start;
  for (const name of names) {
    const next = found.commands.find((command) => command.name() === name);
    if (next === undefined) throw new CliError(EXIT.usage, `unknown command "${name}"${suggestion(found, name)}`);
    found = next;
  }
  return found;
}

function suggestion(command: Command, name: string): string {
  const names = command.commands.map((one) => one.name());
  const near = nearestOf(name, names);
  if (near !== undefined) return `: did you mean ${near}?`;
  return names.length === 0 ? `: ${command.name()} has no commands of its own` : `: one of ${names.join(', ')}`;
}
