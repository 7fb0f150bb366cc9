import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

const SECRET_OPTION = ['--secret-file <path>', 'file with the whsec_… secret to use; default: one is made'] as const;

const load = () => import('./commands/rollouts/webhook.ts');

/** `webhook`: endpoints that are told what happens. */
export function addWebhookCommands(program: Command, context: CommandContext): void {
  const webhook = program
    .command('webhook')
    .description('webhooks: add, list, show, test, rotate, enable, disable, remove, deliveries, replay, events');
  webhook
    .command('add <url>')
    .description('tell an endpoint what happens; prints its secret once')
    .option('--events <types>', 'such as rollout.failed,host.*; separated by commas', '*')
    .option('--description <text>', 'for people')
    .option(...SECRET_OPTION)
    .option(...JSON_OPTION)
    .action(async (url, options) => (await load()).webhookAdd(url, options, context));
  webhook
    .command('list')
    .description('list webhooks and whether messages get through')
    .option(...JSON_OPTION)
    .action(async (options) => (await load()).webhookList(options, context));
  webhook
    .command('show <id>')
    .description('show one webhook')
    .option(...JSON_OPTION)
    .action(async (id, options) => (await load()).webhookShow(id, options, context));
  webhook
    .command('events')
    .description('everything that webhooks can tell')
    .option(...JSON_OPTION)
    .action(async (options) => (await load()).webhookEvents(options, context));
  addSteering(webhook, context);
  addDeliveries(webhook, context);
}

function addSteering(webhook: Command, context: CommandContext): void {
  webhook
    .command('rotate <id>')
    .description('a new secret; for a day messages are signed with the former one too')
    .option(...SECRET_OPTION)
    .option(...JSON_OPTION)
    .action(async (id, options) => (await load()).webhookRotate(id, options, context));
  for (const enabled of [true, false])
    webhook
      .command(`${enabled ? 'enable' : 'disable'} <id>`)
      .description(enabled ? 'tell it again, and send what waits' : 'tell it nothing; what waits is kept')
      .option(...JSON_OPTION)
      .action(async (id, options) => (await load()).webhookEnable(id, enabled, options, context));
  webhook
    .command('remove <id>')
    .description('delete a webhook and its deliveries')
    .option(...JSON_OPTION)
    .action(async (id, options) => (await load()).webhookRemove(id, options, context));
}

function addDeliveries(webhook: Command, context: CommandContext): void {
  webhook
    .command('test <id>')
    .description('send it a message and wait for what comes of the first attempt')
    .option(...JSON_OPTION)
    .action(async (id, options) => (await load()).webhookTest(id, options, context));
  webhook
    .command('deliveries <id>')
    .description('its latest messages and what came of them')
    .option('--state <state>', 'only pending, delivered or failed ones')
    .option(...JSON_OPTION)
    .action(async (id, options) => (await load()).webhookDeliveries(id, options, context));
  webhook
    .command('replay <id> [delivery]')
    .description('send one message again, or all that failed')
    .option('--since <moment>', 'only those made then or later, such as 2026-11-29T12:00:00Z')
    .option('--delivered', 'those that got through, instead of those that failed')
    .option(...JSON_OPTION)
    .action(async (id, delivery, options) => (await load()).webhookReplay(id, delivery, options, context));
}
