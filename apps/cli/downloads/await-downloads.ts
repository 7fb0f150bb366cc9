import type { ApiClient } from '#client/client';
import type { Download } from '#contracts/http/downloads';
import { duration, timerDuration } from '#core/settings/setting-kinds';
import { formatBytes } from '#core/units';
import { cliRefusal } from '../api-client.ts';
import { usageOf } from '../cli-error-of.ts';
import { watchDownloads, type DownloadWithTries } from './watch-downloads.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, type ExitCode } from '../exit-code.ts';
import { createProgress, resolveMode, type ProgressMode } from '../terminal/progress.ts';
import { formatTable } from '../terminal/table.ts';
import { optionOf } from '../typed.ts';

/** Of the one document of `--json`. */
export const DOWNLOADS_SCHEMA = 'haulier.downloads/v1';

/** Texts as they were typed. */
export interface AwaitOptions {
  readonly timeout?: string;
  readonly maxDisconnect: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

export interface WaitLimits {
  /** When the waiting stops; milliseconds. */
  readonly timeoutMs: number | undefined;
  /** How long the API may be away; milliseconds. */
  readonly maxDisconnectMs: number;
}

/** @throws CliError that names the option and what would be right */
export const waitLimitsOf = ({ timeout, maxDisconnect }: AwaitOptions): WaitLimits =>
  usageOf(() => ({
    timeoutMs: timeout === undefined ? undefined : optionOf('--timeout', timerDuration, timeout),
    maxDisconnectMs: /^0[a-z]*$/.test(maxDisconnect) ? 0 : optionOf('--max-disconnect', duration, maxDisconnect),
  }));

/** More downloads than this are told as a number. */
const MAX_TOLD = 20;

/**
 * Says which downloads are waited for, and how they ended: a table, or one document.
 *
 * @throws CliError whose exit code says how they ended, or that the waiting ended first; the downloads go on then
 */
export async function awaitDownloads(
  client: ApiClient,
  downloads: readonly Download[],
  options: AwaitOptions,
  context: CommandContext,
): Promise<void> {
  const limits = waitLimitsOf(options);
  const { stderr, stdout, env, signal } = context;
  if (tells(options, context)) stderr.write(`${headLines(downloads).join('\n')}\n`);
  const latest = new Map(downloads.map((download) => [download.id, download]));
  const display = createProgress(options.progress, stderr, env, () => performance.now());
  const limit = limits.timeoutMs === undefined ? undefined : AbortSignal.timeout(limits.timeoutMs);
  const either = limit === undefined ? signal : AbortSignal.any([limit, signal]);
  let ended: DownloadWithTries[];
  try {
    ended = await watchDownloads(client, downloads, display, either, {
      maxDisconnectMs: limits.maxDisconnectMs,
      onChange: (download) => latest.set(download.id, download),
    });
  } catch (error) {
    throw endOfWaiting(error, [...latest.values()], limit?.aborted === true, options, context);
  }
  const exitCode = exitCodeOf(ended);
  const document = { schema: DOWNLOADS_SCHEMA, downloads: ended, exitCode };
  stdout.write(options.json ? `${JSON.stringify(document)}\n` : `${summaryOf(ended, stdout.columns)}\n`);
  if (exitCode !== EXIT.done) throw new CliError(exitCode, whyOf(ended));
}

export const lineOf = (one: Download): string => `${one.id}  ${one.status}  ${one.file}`;

const tells = ({ progress }: AwaitOptions, { stderr, env }: CommandContext): boolean =>
  !['none', 'json'].includes(resolveMode(progress, stderr, env));

function headLines(downloads: readonly Download[]): string[] {
  const lines = downloads
    .slice(0, MAX_TOLD)
    .map(({ id, file, host }) => `download ${id}: ${file} → ${host ?? 'any worker of the pool'}`);
  const more = downloads.length - lines.length;
  return more === 0 ? lines : [...lines, `… and ${more} more`];
}

/** The downloads go on, so the error says how to look at them again. */
function endOfWaiting(
  error: unknown,
  downloads: readonly Download[],
  isTimedOut: boolean,
  { json, timeout }: AwaitOptions,
  { stdout, stderr, signal }: CommandContext,
): unknown {
  const again = `to wait again: haulier download wait ${namesOf(downloads.map(({ id }) => id))}`;
  if (signal.aborted) stderr.write(`the downloads go on; ${again}\n`);
  const told = signal.aborted
    ? new CliError(EXIT.interrupted, '')
    : isTimedOut
      ? new CliError(EXIT.timedOut, `still running after ${timeout}; the downloads continue; ${again}`)
      : unreachableOf(cliRefusal(error), again);
  if (!(told instanceof CliError)) return told;
  const { exitCode, message } = told;
  if (json) stdout.write(`${JSON.stringify({ schema: DOWNLOADS_SCHEMA, downloads, message, exitCode })}\n`);
  return signal.aborted ? error : told;
}

/** An API that stays away, or only answers with errors, leaves the result unknown. */
function unreachableOf(told: unknown, again: string): unknown {
  const isAway = told instanceof CliError && (told.exitCode === EXIT.unreachable || told.exitCode === EXIT.serverError);
  return isAway ? new CliError(EXIT.unreachable, `${told.message}; the result is unknown; ${again}`) : told;
}

const namesOf = (ids: readonly string[]): string =>
  ids.length <= MAX_TOLD ? ids.join(' ') : `${ids.slice(0, MAX_TOLD).join(' ')} …`;

/**
 * The table of ended downloads.
 *
 * @param columns width of the terminal; undefined for a file
 */
export function summaryOf(ended: readonly Download[], columns: number | undefined): string {
  const rows = ended.map((end) => [
    end.file,
    end.status,
    formatBytes(end.bytes),
    end.sha256 ?? '',
    end.source ?? '',
    end.path ?? end.message,
  ]);
  return formatTable(['file', 'status', 'bytes', 'sha256', 'source', 'where'], rows, [2], columns);
}

const whyOf = (ended: readonly Download[]): string => {
  const bad = ended.filter((end) => end.status !== 'success');
  const said = bad.slice(0, MAX_TOLD).map((end) => `${end.file}: ${end.message}`);
  return [...said, ...(bad.length > said.length ? [`and ${bad.length - said.length} more`] : [])].join('; ');
};

function exitCodeOf(ended: readonly Download[]): ExitCode {
  if (ended.some((end) => end.status === 'failed')) return EXIT.failed;
  return ended.some((end) => end.status === 'cancelled') ? EXIT.cancelled : EXIT.done;
}
