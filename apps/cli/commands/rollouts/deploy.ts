import type { Rollout } from '#contracts/http/rollouts/rollout';
import { parseDuration } from '#core/units';
import { apiUrlOf, clientFrom, withApiDocument } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { EXIT } from '../../exit-code.ts';
import { awaitVerdict, type VerdictOptions } from '../../rollout/await-verdict.ts';
import { appendOutputs } from '../../rollout/ci-reports.ts';
import { deployRequest, idempotencyKey, type DeployOptions } from '../../rollout/deploy-request.ts';
import { reconnecting } from '../../rollout/reconnect.ts';
import { rolloutPage, rolloutDocument } from '../../rollout/rollout-document.ts';
import { headLines, planLines } from '../../rollout/rollout-text.ts';
import { usageOf } from '../../cli-error-of.ts';

export interface DeployCommandOptions extends DeployOptions, VerdictOptions {
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

/** Creates a rollout, and waits for its verdict when told to. */
export async function deploy(what: string, options: DeployCommandOptions, context: CommandContext): Promise<void> {
  const client = clientFrom(context.env);
  const body = usageOf(() => deployRequest(what, options));
  if (options.dryRun) {
    const plan = await withApiDocument(options, context, () => client.planRollout(body));
    context.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : `${planLines(plan).join('\n')}\n`);
    return;
  }
  const key = idempotencyKey(options.idempotencyKey, body, context.env);
  const maxDisconnectMs = usageOf(() => parseDuration(options.maxDisconnect));
  const say = (error: Error): unknown => context.stderr.write(`${error.message}; trying again\n`);
  const create = (): Promise<Rollout> => client.createRollout(body, key);
  const rollout = await withApiDocument(options, context, () =>
    reconnecting(create, maxDisconnectMs, context.signal, say),
  );
  const url = rolloutPage(apiUrlOf(context.env), rollout);
  if (options.progress !== 'none' && options.progress !== 'json')
    context.stderr.write(`${headLines(rollout, url).join('\n')}\n`);
  if (options.wait) return awaitVerdict(client, rollout, url, options, context);
  if (options.outputs !== undefined)
    await appendOutputs(options.outputs, { id: rollout.id, state: rollout.state, url });
  const document = rolloutDocument(rollout, [], url, EXIT.done);
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : `${rollout.id}\n`);
}
