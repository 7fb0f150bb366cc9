import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

/** `host` with its commands. */
export function addHostCommands(program: Command, context: CommandContext): void {
  const host = program.command('host').description('hosts: list, show, label, drain, forget');
  host
    .command('list')
    .description('list hosts, their labels and their state')
    .option('--selector <selector>', 'only hosts that match, such as gpu=true,site!=eu-1')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('./commands/hosts/host.ts')).hostList(options, context));
  host
    .command('show <name>')
    .description('show one host: labels, facts, store')
    .option(...JSON_OPTION)
    .action(async (name, options) => (await import('./commands/hosts/host.ts')).hostShow(name, options, context));
  forMany(host.command('label <words...>').usage('[options] <name> <changes...> | --selector <selector> <changes...>'))
    .description('key=value sets a label, key- removes it')
    .action(async (words, options) =>
      (await import('./commands/hosts/host-bulk.ts')).hostLabels(words, options, context),
    );
  for (const action of ['drain', 'undrain', 'forget'] as const)
    forMany(host.command(`${action} [name...]`))
      .description(SUMMARIES[action])
      .action(async (names, options) =>
        (await import('./commands/hosts/host-bulk.ts')).hostAct(action, names, options, context),
      );
}

const SUMMARIES = {
  drain: 'rollouts do not begin with these hosts; what runs there goes on',
  undrain: 'let rollouts begin with these hosts again',
  forget: 'remove hosts that are gone; what is still wanted there is cancelled',
};

/** Options of an action on one host or on many. */
const forMany = (command: Command): Command =>
  command
    .option('--selector <selector>', 'all hosts that match, such as gpu=true,site!=eu-1')
    .option('--all-matching', 'also where more than 100 hosts match')
    .option('--dry-run', 'only count, and name what would be skipped')
    .option(...JSON_OPTION);
