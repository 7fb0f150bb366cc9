import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Delivery, Webhook, WebhookWithSecret } from '#contracts/http/webhooks';
import { messageOf } from '#core/error-facts';
import { SECOND_MS } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { formatTable } from '../../terminal/table.ts';

interface Json {
  readonly json?: boolean;
}

interface SecretOption {
  readonly secretFile?: string;
}

export async function webhookAdd(
  url: string,
  options: Json & SecretOption & { readonly events: string; readonly description?: string },
  context: CommandContext,
): Promise<void> {
  const events = options.events.split(',').map((type) => type.trim());
  const { description } = options;
  const body = { url, events, ...(await secretOf(options)), ...(description === undefined ? {} : { description }) };
  showSecret(await withApi(() => clientFrom(context.env).createWebhook(body)), options, context);
}

export async function webhookRotate(id: string, options: Json & SecretOption, context: CommandContext): Promise<void> {
  const body = await secretOf(options);
  showSecret(await withApi(() => clientFrom(context.env).rotateWebhookSecret(id, body)), options, context);
}

async function secretOf({ secretFile }: SecretOption): Promise<{ secret?: string }> {
  if (secretFile === undefined) return {};
  try {
    return { secret: (await readFile(secretFile, 'utf8')).trim() };
  } catch (cause) {
    throw new CliError(EXIT.usage, `--secret-file cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function showSecret(webhook: WebhookWithSecret, { json }: Json, { stdout, stderr }: CommandContext): void {
  if (json) {
    stdout.write(`${JSON.stringify(webhook)}\n`);
    return;
  }
  stderr.write(`webhook ${webhook.id} tells ${webhook.url}: ${webhook.events.join(', ')}\n`);
  stderr.write('the receiver verifies with this secret, which is not shown again:\n');
  stdout.write(`${webhook.secret}\n`);
}

export async function webhookList(options: Json, context: CommandContext): Promise<void> {
  const webhooks = await withApi(() => clientFrom(context.env).listWebhooks());
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ webhooks })}\n`);
    return;
  }
  const rows = webhooks.map((webhook) => [
    webhook.id,
    stateOf(webhook),
    String(webhook.pending),
    webhook.lastSuccessAt ?? 'never',
    webhook.events.join(','),
    webhook.url,
  ]);
  const heads = ['webhook', 'state', 'waiting', 'last success', 'events', 'url'];
  context.stdout.write(`${formatTable(heads, rows, [2], context.stdout.columns, [0])}\n`);
}

const stateOf = ({ enabled, disabledReason }: Webhook): string =>
  enabled ? 'enabled' : `disabled (${disabledReason ?? 'manual'})`;

export async function webhookShow(id: string, options: Json, context: CommandContext): Promise<void> {
  show(await withApi(() => clientFrom(context.env).getWebhook(id)), options, context);
}

export async function webhookEnable(
  id: string,
  enabled: boolean,
  options: Json,
  context: CommandContext,
): Promise<void> {
  show(await withApi(() => clientFrom(context.env).changeWebhook(id, { enabled })), options, context);
}

export async function webhookRemove(id: string, options: Json, context: CommandContext): Promise<void> {
  const webhook = await withApi(() => clientFrom(context.env).deleteWebhook(id));
  const lost = webhook.pending === 0 ? '' : `; ${webhook.pending} messages were still waiting`;
  context.stdout.write(options.json ? `${JSON.stringify(webhook)}\n` : `${id} is removed${lost}\n`);
}

function show(webhook: Webhook, { json }: Json, { stdout }: CommandContext): void {
  if (json) {
    stdout.write(`${JSON.stringify(webhook)}\n`);
    return;
  }
  const rows = [
    ['url', webhook.url],
    ['events', webhook.events.join(', ')],
    ['state', stateOf(webhook)],
    ['waiting', String(webhook.pending)],
    ['last success', webhook.lastSuccessAt ?? 'never'],
    ...(webhook.notBefore === null ? [] : [['left alone until', webhook.notBefore]]),
    ...(webhook.formerSecretUntil === null ? [] : [['former secret until', webhook.formerSecretUntil]]),
    ['created', `${webhook.createdAt} by ${webhook.createdBy}`],
    ...(webhook.description === '' ? [] : [['description', webhook.description]]),
  ];
  stdout.write(`${formatTable([webhook.id, ''], rows)}\n`);
}

export async function webhookEvents(options: Json, context: CommandContext): Promise<void> {
  const types = await withApi(() => clientFrom(context.env).listWebhookEventTypes());
  const rows = types.map(({ type, tells }) => [type, tells]);
  context.stdout.write(`${options.json ? JSON.stringify({ types }) : formatTable(['event', 'when'], rows)}\n`);
}

const ASK_EVERY_MS = SECOND_MS / 2;
/** The API gives an endpoint 20 s to answer. */
const TEST_PATIENCE_MS = 30 * SECOND_MS;

export async function webhookTest(id: string, options: Json, context: CommandContext): Promise<void> {
  const client = clientFrom(context.env);
  const giveUpAt = performance.now() + TEST_PATIENCE_MS;
  let delivery = await withApi(() => client.testWebhook(id));
  if (!options.json) context.stderr.write('the test message is on its way; an endpoint has 20 s to answer\n');
  while (delivery.tries.length === 0 && performance.now() < giveUpAt) {
    await pause(ASK_EVERY_MS, undefined, { signal: context.signal });
    const { id: deliveryId } = delivery;
    delivery = await withApi(() => client.getWebhookDelivery(id, deliveryId));
  }
  if (options.json) context.stdout.write(`${JSON.stringify(delivery)}\n`);
  const last = delivery.tries.at(-1);
  if (last === undefined)
    throw new CliError(EXIT.timedOut, `the test message was not sent within ${TEST_PATIENCE_MS / SECOND_MS} s`);
  if (last.error !== null) throw new CliError(EXIT.failed, `the endpoint did not take the test message: ${last.error}`);
  if (!options.json) context.stdout.write(`the endpoint answered ${last.status} after ${last.ms} ms\n`);
}

export async function webhookDeliveries(
  id: string,
  options: Json & { readonly state?: string },
  context: CommandContext,
): Promise<void> {
  const page = await withApi(() =>
    clientFrom(context.env).listWebhookDeliveries(id, { state: options.state, limit: 100 }),
  );
  if (options.json) {
    context.stdout.write(`${JSON.stringify(page)}\n`);
    return;
  }
  const rows = page.deliveries.map((delivery) => [
    delivery.id,
    delivery.at,
    delivery.type,
    delivery.state,
    String(delivery.attempts),
    outcomeOf(delivery),
  ]);
  const heads = ['delivery', 'at', 'event', 'state', 'attempts', 'last answer'];
  context.stdout.write(`${formatTable(heads, rows, [4], context.stdout.columns, [0])}\n`);
}

function outcomeOf({ tries, nextAttemptAt }: Delivery): string {
  const last = tries.at(-1);
  const said = last === undefined ? '' : (last.error ?? `answered ${last.status}`);
  return nextAttemptAt === null ? said : `${said}${said === '' ? '' : '; '}next at ${nextAttemptAt}`;
}

export async function webhookReplay(
  id: string,
  delivery: string | undefined,
  options: Json & { readonly since?: string; readonly delivered?: boolean },
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  if (delivery !== undefined && (options.since !== undefined || options.delivered))
    throw new CliError(EXIT.usage, '--since and --delivered choose among all messages: leave out the delivery');
  const state = options.delivered ? 'delivered' : 'failed';
  const body = { state, ...(options.since === undefined ? {} : { since: options.since }) } as const;
  const answer = await withApi<object>(() =>
    delivery === undefined ? client.replayWebhook(id, body) : client.replayWebhookDelivery(id, delivery),
  );
  const count = 'replayed' in answer ? String(answer.replayed) : '1';
  context.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${count} messages are sent again\n`);
}
