import type { ApiClient } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors } from '#contracts/http/rollouts/rollout-lists';
import { messageOf } from '#core/error-facts';
import { parseDuration } from '#core/units';
import { cliRefusal } from '../api-client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { printable } from '../terminal/cells.ts';
import type { ProgressMode } from '../terminal/progress.ts';
import { usageOf } from '../cli-error-of.ts';
import { annotationsOf, appendOutputs, appendSummary, writeJunit } from './ci-reports.ts';
import { exitCodeOf, rolloutDocument } from './rollout-document.ts';
import { readKeys } from './rollout-keys.ts';
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
  readonly cancelOnInterrupt?: boolean;
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
  const stopped = new AbortController();
  const signal = AbortSignal.any([...(limit === undefined ? [] : [limit]), context.signal, stopped.signal]);
  const maxDisconnectMs = usageOf(() => parseDuration(options.maxDisconnect));
  let rollout = first;
  const until = (seen: Rollout): boolean => {
    rollout = seen;
    return options.until === 'threshold' && seen.threshold.met;
  };
  const endKeys = readKeys(options.progress, context, {
    hint: display.hint,
    stop: () => stopped.abort(),
    cancel: () => void cancelByKey(client, first.id, display.say),
  });
  try {
    await watchRollout(client, first, { until, maxDisconnectMs, display, signal }).finally(endKeys);
  } catch (error) {
    const isTimedOut = limit?.aborted === true;
    const isStopped = stopped.signal.aborted;
    throw await endOfWaiting(error, { client, rollout, url, isTimedOut, isStopped }, options, context);
  }
  const { errors } = await client.listRolloutErrors(rollout.id);
  await report(client, rollout, errors, url, options, context);
  const exitCode = exitCodeOf(rollout);
  if (options.json) context.stdout.write(`${JSON.stringify(rolloutDocument(rollout, errors, url, exitCode))}\n`);
  if (options.progress !== 'none' && options.progress !== 'json')
    context.stderr.write(`${endLines(rollout, errors).join('\n')}\n`);
  if (exitCode !== EXIT.done) throw new CliError(exitCode, `rollout ${rollout.id}: ${rollout.message}`);
}

/** The watching goes on and shows the end. */
async function cancelByKey(client: ApiClient, id: string, say: (line: string) => void): Promise<void> {
  try {
    await client.actOnRollout(id, 'cancel');
  } catch (error) {
    say(`rollout ${id} could not be cancelled: ${printable(messageOf(error))}; it goes on`);
  }
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

/** What is known when the waiting ends before the rollout. */
interface Unfinished {
  readonly client: ApiClient;
  /** As it was seen last. */
  readonly rollout: Rollout;
  readonly url: string;
  readonly isTimedOut: boolean;
  /** By the key `q`. */
  readonly isStopped: boolean;
}

/** @returns the error that the command ends with */
async function endOfWaiting(
  error: unknown,
  { client, rollout, url, isTimedOut, isStopped }: Unfinished,
  options: VerdictOptions,
  context: CommandContext,
): Promise<unknown> {
  const isInterrupted = context.signal.aborted;
  const state = isTimedOut && !isInterrupted && !isStopped ? rollout.state : undefined;
  if (options.outputs !== undefined) await appendOutputs(options.outputs, { id: rollout.id, state, url });
  if (isInterrupted) {
    await tellInterrupted(client, rollout, options, context);
    return error;
  }
  if (isStopped) {
    context.stderr.write(goesOnText(rollout));
    return new CliError(EXIT.interrupted, '');
  }
  return isTimedOut ? timedOut(rollout, url, options, context) : unknownResult(error, rollout, url, options, context);
}

const againText = ({ id }: Rollout): string => `to wait again: haulier rollout wait ${id}`;

const goesOnText = (rollout: Rollout): string => `the rollout goes on; ${againText(rollout)}\n`;

/** With `--cancel-on-interrupt` the rollout is cancelled, else it goes on. */
async function tellInterrupted(
  client: ApiClient,
  rollout: Rollout,
  { cancelOnInterrupt }: VerdictOptions,
  { stderr }: CommandContext,
): Promise<void> {
  if (!cancelOnInterrupt) {
    stderr.write(goesOnText(rollout));
    return;
  }
  try {
    const { state } = await client.actOnRollout(rollout.id, 'cancel');
    stderr.write(`rollout ${rollout.id}: ${state.replaceAll('_', ' ')}\n`);
  } catch (error) {
    stderr.write(
      `rollout ${rollout.id} could not be cancelled: ${messageOf(error)}; it goes on; ${againText(rollout)}\n`,
    );
  }
}

/** The time of this command is over, not that of the rollout. */
function timedOut(
  rollout: Rollout,
  url: string,
  { json, timeout }: VerdictOptions,
  { stdout }: CommandContext,
): CliError {
  const message = `--timeout ${timeout} passed and rollout ${rollout.id} goes on; ${againText(rollout)}`;
  const document = { ...rolloutDocument(rollout, [], url, EXIT.timedOut), message };
  if (json) stdout.write(`${JSON.stringify(document)}\n`);
  return new CliError(EXIT.timedOut, message);
}

/** The API stayed away or refused. */
function unknownResult(
  error: unknown,
  rollout: Rollout,
  url: string,
  { json }: VerdictOptions,
  { stdout }: CommandContext,
): unknown {
  const told = cliRefusal(error);
  if (!(told instanceof CliError)) return told;
  const { id } = rollout;
  const ended =
    told.exitCode === EXIT.unreachable || told.exitCode === EXIT.serverError
      ? new CliError(EXIT.unreachable, `${told.message}; the result of rollout ${id} is unknown; ${againText(rollout)}`)
      : told;
  const { exitCode, message } = ended;
  if (json)
    stdout.write(`${JSON.stringify({ schema: 'haulier.rollout/v1', id, state: null, message, url, exitCode })}\n`);
  return ended;
}
