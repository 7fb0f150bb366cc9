import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

/** Commands with which hosts enrol; they join the groups `worker` and `host`. */
export function addEnrolmentCommands(program: Command, context: CommandContext): void {
  groupOf(program, 'worker', 'the worker of this host and its store')
    .command('enroll')
    .alias('enrol')
    .description('enrol this host: it gets a key, a token for the API and a user in Redis of its own')
    .option('--url <url>', 'address of the API; default: HAULIER_URL')
    .option('--token <token>', 'of haulier token create --enrol; default: HAULIER_ENROLMENT_TOKEN')
    .option('--host <name>', 'name of this host; default: HAULIER_HOST, or the name of the machine')
    .action(async (options) => (await import('../commands/hosts/worker-enroll.ts')).workerEnroll(options, context));
  groupOf(program, 'host', 'hosts')
    .command('revoke <name>')
    .description("take a host's enrolment back: its worker is cut off at once, and nothing is believed under its name")
    .option(...JSON_OPTION)
    .action(async (name, options) =>
      (await import('../commands/hosts/host-revoke.ts')).hostRevoke(name, options, context),
    );
}

/** The group where it is there, else a new one. */
function groupOf(program: Command, name: string, description: string): Command {
  return program.commands.find((one) => one.name() === name) ?? program.command(name).description(description);
}

export const refuseEmpty = (option: string, text: string | undefined): void => {
  if (text?.trim() === '') throw new CliError(EXIT.usage, `${option} is empty: give a value, or leave it out`);
};
