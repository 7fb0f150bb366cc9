import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';

/** `site` with its commands. */
export function addSiteCommands(program: Command, context: CommandContext): void {
  const site = program.command('site').description('sites of hosts: list, budget, limit');
  const json = ['--json', 'one JSON object on stdout'] as const;
  site
    .command('list')
    .description('sites, their hosts, byte budgets and limits')
    .option(...json)
    .action(async (options) => (await import('../commands/sites/site.ts')).siteList(options, context));
  site
    .command('budget <site> <size>')
    .description(
      'most bytes that rollouts and repairs begin to bring there within a window, such as 500GB; none: no limit',
    )
    .option('--per <duration>', 'length of the window', '24h')
    .option(...json)
    .action(async (name, size, options) =>
      (await import('../commands/sites/site.ts')).siteBudget(name, size, options, context),
    );
  site
    .command('limit <site> <rate>')
    .description('most bytes that enter the site in a second, over all of its hosts, such as 25MB; none: no limit')
    .option(...json)
    .action(async (name, rate, options) =>
      (await import('../commands/sites/site.ts')).siteLimit(name, rate, options, context),
    );
}
