import type { RolloutAction } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { formatBytes } from '#core/units';
import { apiUrlOf, clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { EXIT } from '../../exit-code.ts';
import { awaitVerdict, type VerdictOptions } from '../../rollout/await-verdict.ts';
import { exitCodeOf, rolloutPage, rolloutDocument } from '../../rollout/rollout-document.ts';
import { originCopiesText, endLines, hostsLine, modelsText, stateLine } from '../../rollout/rollout-text.ts';
import { swarmTableLines } from '../../rollout/swarm-lines.ts';
import { formatTable } from '../../terminal/table.ts';

interface Json {
  readonly json?: boolean;
}

const urlOf = (context: CommandContext, rollout: Rollout): string => rolloutPage(apiUrlOf(context.env), rollout);

export async function rolloutList(
  options: Json & { readonly state?: string; readonly model?: string },
  context: CommandContext,
): Promise<void> {
  const filter = { state: options.state?.split(','), model: options.model, limit: 100 };
  const { rollouts } = await withApi(() => clientFrom(context.env).listRollouts(filter));
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ rollouts })}\n`);
    return;
  }
  const rows = rollouts.map((rollout) => [
    rollout.id,
    rollout.state,
    modelsText(rollout),
    `${rollout.counts.succeeded}/${rollout.counts.targeted}`,
    rollout.createdAt,
    rollout.createdBy,
  ]);
  const head = ['rollout', 'state', 'model', 'hosts', 'created', 'by'];
  context.stdout.write(`${formatTable(head, rows, [3], context.stdout.columns, [0])}\n`);
}

export async function rolloutStatus(id: string, options: Json, context: CommandContext): Promise<void> {
  await show(await withApi(() => clientFrom(context.env).getRollout(id)), options, context);
}

/** Waits for the verdict of a rollout that was created before. */
export async function rolloutWait(id: string, options: VerdictOptions, context: CommandContext): Promise<void> {
  const client = clientFrom(context.env);
  const rollout = await withApi(() => client.getRollout(id));
  await awaitVerdict(client, rollout, urlOf(context, rollout), options, context);
}

export async function rolloutAct(
  id: string,
  action: RolloutAction,
  options: Json,
  context: CommandContext,
): Promise<void> {
  await show(await withApi(() => clientFrom(context.env).actOnRollout(id, action)), options, context);
}

export async function rolloutRetry(
  id: string,
  options: Json & { readonly host?: readonly string[] },
  context: CommandContext,
): Promise<void> {
  await show(
    await withApi(() =>
      clientFrom(context.env).retryRollout(id, options.host === undefined ? {} : { hosts: options.host }),
    ),
    options,
    context,
  );
}

export async function rolloutHosts(
  id: string,
  options: Json & { readonly state?: string },
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const state = options.state?.split(',');
  const all = [];
  for (let cursor: string | undefined; ;) {
    const page = await withApi(() => client.listRolloutHosts(id, { state, cursor, limit: 500 }));
    all.push(...page.hosts);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ hosts: all })}\n`);
    return;
  }
  const rows = all.map((host) => [
    host.host,
    host.wave ?? '',
    host.alreadyPresent ? 'done (already present)' : host.state,
    host.totalBytes === 0 ? '' : `${formatBytes(host.bytes)} of ${formatBytes(host.totalBytes)}`,
    [host.reason, host.message].filter((text) => text !== null).join(': '),
  ]);
  const head = ['host', 'wave', 'state', 'bytes', 'why'];
  context.stdout.write(`${formatTable(head, rows, [3], context.stdout.columns)}\n`);
}

export async function rolloutErrors(id: string, options: Json, context: CommandContext): Promise<void> {
  const found = await withApi(() => clientFrom(context.env).listRolloutErrors(id));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(found)}\n`);
    return;
  }
  const rows = found.errors.map(({ reason, count, hosts, message }) => [
    reason,
    String(count),
    `${hosts.join(', ')}${count > hosts.length ? ', …' : ''}`,
    message ?? '',
  ]);
  const head = ['reason', 'hosts', 'such as', 'message of one'];
  context.stdout.write(`${formatTable(head, rows, [1], context.stdout.columns)}\n`);
}

/** Asking for the status succeeds with exit code 0, whatever the status is. */
async function show(rollout: Rollout, { json }: Json, context: CommandContext): Promise<void> {
  const { errors } = await withApi(() => clientFrom(context.env).listRolloutErrors(rollout.id));
  if (json) {
    const exitCode = rollout.isFinal ? exitCodeOf(rollout) : EXIT.done;
    const document = rolloutDocument(rollout, errors, urlOf(context, rollout), exitCode);
    context.stdout.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const swarms = await withApi(() => clientFrom(context.env).listRolloutSwarms(rollout.id));
  const copies = originCopiesText(rollout);
  const lines = rollout.isFinal
    ? [
        ...endLines(rollout, errors),
        ...(rollout.isHolding
          ? [`it holds: hosts that lack it get it; end that: haulier rollout release ${rollout.id}`]
          : []),
      ]
    : [
        hostsLine(rollout),
        stateLine(rollout),
        ...(rollout.wave === null
          ? []
          : [`wave ${rollout.wave.name} (${rollout.wave.index + 1} of ${rollout.wave.of})`]),
      ];
  const shared = [...(copies === '' ? [] : [copies]), ...swarmTableLines(swarms, context.stdout.columns)];
  context.stdout.write(`${[`rollout ${rollout.id}: ${modelsText(rollout)}`, ...lines, ...shared].join('\n')}\n`);
}
