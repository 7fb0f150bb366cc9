import type { ApiClient } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors } from '#contracts/http/rollouts/rollout-lists';
import { parseDuration } from '#core/units';
import { cliRefusal } from '../api-client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { ProgressMode } from '../terminal/progress.ts';
import { usageOf } from '../cli-error-of.ts';
import { annotationsOf, appendOutputs, appendSummary, writeJunit } from './ci-reports.ts';
import { exitCodeOf, rolloutDocument } from './rollout-document.ts';
import { rolloutDisplay } from './rollout-progress.ts';
import { endLines } from './rollout-text.ts';
import { watchRollout } from './watch-rollout.ts';

export interface VerdictOptions {
  readonly timeout?: string;
  readonly until: 'all' | 'threshold';
  readonly maxDisconnect: string;
  readonly json?: boolean;
  readonly junit?: string;
  readonly summary?: string;
  readonly outputs?: string;
  readonly annotations?: boolean;
  readonly progress: ProgressMode;
}

/**
 * Waits for the verdict of a rollout and says it, on stdout as one document or on stderr in lines.
 *
 * @throws CliError whose exit code says how it ended, or that the waiting ended first; the rollout goes on then
 */
export async function awaitVerdict(
  client: ApiClient,
  first: Rollout,
  url: string,
  options: VerdictOptions,
  context: CommandContext,
): Promise<void> {
  const display = rolloutDisplay(options.progress, context.stderr, context.env, () => new Date());
  const limit = options.timeout === undefined ? undefined : timeLimit(options.timeout);
  const signal = limit === undefined ? context.signal : AbortSignal.any([limit, context.signal]);
  const maxDisconnectMs = usageOf(() => parseDuration(options.maxDisconnect));
  let rollout: Rollout;
  try {
    rollout = await watchRollout(client, first, { until: options.until, maxDisconnectMs, display, signal });
  } catch (error) {
    if (options.outputs !== undefined) await appendOutputs(options.outputs, { id: first.id, state: undefined, url });
    throw endOfWaiting(error, first, url, limit, options, context);
  }
  const { errors } = await client.listRolloutErrors(rollout.id);
  await report(client, rollout, errors, url, options, context);
  const exitCode = exitCodeOf(rollout);
  if (options.json) context.stdout.write(`${JSON.stringify(rolloutDocument(rollout, errors, url, exitCode))}\n`);
  if (options.progress !== 'none' && options.progress !== 'json')
    context.stderr.write(`${endLines(rollout, errors).join('\n')}\n`);
  if (exitCode !== EXIT.done) throw new CliError(exitCode, `rollout ${rollout.id}: ${rollout.message}`);
}

/** What the CI shows, and later steps read. */
async function report(
  client: ApiClient,
  rollout: Rollout,
  errors: RolloutErrors['errors'],
  url: string,
  { junit, summary, outputs, annotations }: VerdictOptions,
  { stderr }: CommandContext,
): Promise<void> {
  if (junit !== undefined) await writeJunit(junit, client, rollout);
  if (summary !== undefined) await appendSummary(summary, rollout, errors);
  if (outputs !== undefined) await appendOutputs(outputs, { id: rollout.id, state: rollout.state, url });
  if (annotations) for (const line of annotationsOf(rollout, errors)) stderr.write(`${line}\n`);
}

const timeLimit = (timeout: string): AbortSignal => AbortSignal.timeout(usageOf(() => parseDuration(timeout)));

/** The rollout goes on, so the error says how to look at it again. */
function endOfWaiting(
  error: unknown,
  { id }: Rollout,
  url: string,
  limit: AbortSignal | undefined,
  { json, timeout }: VerdictOptions,
  { stdout, stderr, signal }: CommandContext,
): unknown {
  const again = `haulier rollout wait ${id}`;
  if (signal.aborted) {
    stderr.write(`the rollout goes on; to wait again: ${again}\n`);
    return error;
  }
  const told =
    limit?.aborted === true
      ? new CliError(EXIT.timedOut, `--timeout ${timeout} passed and rollout ${id} goes on; to wait again: ${again}`)
      : cliRefusal(error);
  if (!(told instanceof CliError)) return told;
  const ended =
    told.exitCode === EXIT.unreachable || told.exitCode === EXIT.serverError
      ? new CliError(
          EXIT.unreachable,
          `${told.message}; the result of rollout ${id} is unknown; to wait again: ${again}`,
        )
      : told;
  const { exitCode, message } = ended;
  if (json)
    stdout.write(`${JSON.stringify({ schema: 'haulier.rollout/v1', id, state: null, message, url, exitCode })}\n`);
  return ended;
}
