import type { BulkAction, BulkItem, CreateBulkActionBody } from '#contracts/http/bulk-actions';
import type { ApiClient } from '#client/client';
import { duration } from '#core/settings/setting-kinds';
import { plural } from '#core/text/plural';
import { clientFrom, withApiDocument } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT, type ExitCode } from '../../exit-code.ts';
import { reconnecting } from '../../rollout/reconnect.ts';
import { formatTable } from '../../terminal/table.ts';
import { optionOf, parseModel } from '../../typed.ts';

export interface DownloadBulkOptions {
  readonly model?: string;
  readonly host?: string;
  readonly status?: string;
  readonly maxDisconnect: string;
  readonly json?: boolean;
}

type Action = CreateBulkActionBody['action'];

const POLL_MS = 55_000;
const SCHEMA = 'haulier.bulk-action/v1';

const DONE_WORDS: Record<Action, string> = {
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
  retry: 'retried',
};

/** Pauses, resumes, cancels or retries downloads by id or by filter, waits until that is done, and names those that were skipped. */
export async function downloadBulk(
  action: Action,
  ids: readonly string[],
  options: DownloadBulkOptions,
  context: CommandContext,
): Promise<void> {
  const body = { action, filter: filterOf(action, ids, options) };
  const maxDisconnectMs = usageOf(() => optionOf('--max-disconnect', duration, options.maxDisconnect));
  const client = clientFrom(context.env);
  const say = (error: Error): unknown => context.stderr.write(`${error.message}; trying again\n`);
  const call = <T>(work: () => Promise<T>): Promise<T> => reconnecting(work, maxDisconnectMs, context.signal, say);
  const { bulk, skipped } = await withApiDocument(options, context, async () => {
    // A request whose answer was lost may be repeated: what it did stands so already.
    let made = await call(() => client.createBulkAction(body));
    while (made.state === 'running')
      made = await call(() => client.waitForBulkAction(made.id, POLL_MS, context.signal));
    return { bulk: made, skipped: await skippedOf(client, made, call) };
  });
  const exitCode = exitCodeOf(bulk, ids.length > 0);
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ schema: SCHEMA, ...bulk, skipped, exitCode })}\n`
      : `${textOf(bulk, skipped, context.stdout.columns).join('\n')}\n`,
  );
  if (exitCode === EXIT.nothingToDo)
    throw new CliError(exitCode, `no download matches; haulier download list shows them`);
  if (exitCode !== EXIT.done)
    throw new CliError(exitCode, `${plural(skipped.length, 'download')} could not be ${DONE_WORDS[action]}`);
}

function filterOf(
  action: Action,
  ids: readonly string[],
  options: DownloadBulkOptions,
): CreateBulkActionBody['filter'] {
  const { model, host, status } = options;
  const hasFilter = (model ?? host ?? status) !== undefined;
  if (ids.length > 0 && hasFilter)
    throw new CliError(EXIT.usage, 'give ids of downloads, or --model, --host and --status, not both');
  if (ids.length > 0) return { ids: [...ids] };
  if (!hasFilter)
    throw new CliError(EXIT.usage, `say which downloads to ${action}: their ids, or --model, --host or --status`);
  const { name, version } = model === undefined ? {} : parseModel(model);
  return {
    ...(name === undefined ? {} : { model: name }),
    ...(version === undefined ? {} : { version }),
    ...(host === undefined ? {} : { host }),
    ...(status === undefined ? {} : { status: status.split(',') as CreateBulkActionBody['filter']['status'] }),
  };
}

/** The answer names at most 100. */
async function skippedOf(
  client: ApiClient,
  { id, counts, skipped }: BulkAction,
  call: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<readonly BulkItem[]> {
  if (skipped.length === counts.skipped + counts.failed) return skipped;
  const all: BulkItem[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await call(() => client.listSkippedItems(id, cursor));
    all.push(...page.items);
    if (page.nextCursor === null) return all;
    cursor = page.nextCursor;
  }
}

/** Of downloads that were named, each counts; of a filter, what it skips is no failure. */
function exitCodeOf({ counts }: BulkAction, isNamed: boolean): ExitCode {
  if (counts.matched === 0) return EXIT.nothingToDo;
  return counts.failed > 0 || (isNamed && counts.skipped > 0) ? EXIT.failed : EXIT.done;
}

function textOf({ action, counts }: BulkAction, skipped: readonly BulkItem[], columns: number | undefined): string[] {
  const { matched, done, unchanged, failed } = counts;
  const part = (count: number, words: string): string[] => (count === 0 ? [] : [`${count} ${words}`]);
  const parts = [
    `${done} ${DONE_WORDS[action]}`,
    ...part(unchanged, 'unchanged, stood so already'),
    ...part(counts.skipped, 'skipped'),
    ...part(failed, 'failed'),
  ];
  const rows = skipped.map(({ id, host, file, reason }) => [id, host ?? '', file ?? '', reason ?? '']);
  return [
    `${parts.join(', ')} of ${plural(matched, 'download')}`,
    ...(rows.length === 0 ? [] : [formatTable(['skipped', 'host', 'file', 'why'], rows, [], columns, [0])]),
  ];
}
