import { Option, type Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

/** Commands with which hosts enrol; they join the groups `token`, `worker` and `host`. */
export function addEnrolmentCommands(program: Command, context: CommandContext): void {
  const token = groupOf(program, 'token', 'tokens: create, list, revoke');
  token
    .command('create')
    .description('make a token with which one host enrols, once')
    .addOption(new Option('--enrol', 'a token for a host to enrol').makeOptionMandatory())
    .option('--host <name>', 'only this host may use it, also when it is enrolled already; default: any that is not')
    .option('--pool', 'the host may also run jobs of the pool and checks for newer versions')
    .option('--expires <duration>', 'how long it can be used, such as 1h; at most 30d', '1h')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('./enrolment-tokens.ts')).createToken(options, context));
  token
    .command('list')
    .description('list the tokens with which hosts enrol')
    .addOption(new Option('--enrol', 'tokens for hosts to enrol').makeOptionMandatory())
    .option(...JSON_OPTION)
    .action(async (options) => (await import('./enrolment-tokens.ts')).listTokens(options, context));
  groupOf(program, 'worker', 'the worker of this host and its store')
    .command('enroll')
    .alias('enrol')
    .description('enrol this host: it gets a key, a token for the API and a user in Redis of its own')
    .option('--url <url>', 'address of the API; default: HAULIER_URL')
    .option('--token <token>', 'of haulier token create --enrol; default: HAULIER_ENROLMENT_TOKEN')
    .option('--host <name>', 'name of this host; default: HAULIER_HOST, or the name of the machine')
    .action(async (options) => (await import('./worker-enroll.ts')).workerEnroll(options, context));
  groupOf(program, 'host', 'hosts')
    .command('revoke <name>')
    .description("take a host's enrolment back: its worker is cut off at once, and nothing is believed under its name")
    .option(...JSON_OPTION)
    .action(async (name, options) => (await import('./host-revoke.ts')).hostRevoke(name, options, context));
}

/** The group where it is there, else a new one. */
function groupOf(program: Command, name: string, description: string): Command {
  return program.commands.find((one) => one.name() === name) ?? program.command(name).description(description);
}

export const refuseEmpty = (option: string, text: string | undefined): void => {
  if (text?.trim() === '') throw new CliError(EXIT.usage, `${option} is empty: give a value, or leave it out`);
};
