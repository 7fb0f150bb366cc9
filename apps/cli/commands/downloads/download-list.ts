import type { Download } from '#contracts/http/downloads';
import { mapConcurrently } from '#core/async/map-concurrently';
import { wholeNumber } from '#core/settings/setting-kinds';
import { formatBytes } from '#core/units';
import { clientFrom, withApi, withApiDocument } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { DOWNLOADS_SCHEMA, awaitDownloads, waitLimitsOf, type AwaitOptions } from '../../downloads/await-downloads.ts';
import { EXIT } from '../../exit-code.ts';
import { reconnecting } from '../../rollout/reconnect.ts';
import { formatTable } from '../../terminal/table.ts';
import { optionOf, parseModel } from '../../typed.ts';

export interface DownloadListOptions {
  readonly model?: string;
  readonly host?: string;
  readonly status?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const LIMIT = wholeNumber(1, 10_000);
const PAGE = 500;
const READ_AT_ONCE = 8;

/** Lists downloads, newest first. */
export async function downloadList(options: DownloadListOptions, context: CommandContext): Promise<void> {
  const limit = usageOf(() => optionOf('--limit', LIMIT, options.limit));
  const client = clientFrom(context.env);
  const model = options.model === undefined ? undefined : parseModel(options.model);
  const filter = {
    model: model?.name,
    version: model?.version,
    host: options.host,
    status: options.status?.split(','),
  };
  const downloads: Download[] = [];
  for (let cursor: string | undefined; downloads.length < limit;) {
    const size = Math.min(PAGE, limit - downloads.length);
    const page = await withApi(() => client.listDownloads({ ...filter, cursor, limit: size }));
    downloads.push(...page.downloads);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  const document = { schema: DOWNLOADS_SCHEMA, downloads, exitCode: EXIT.done };
  context.stdout.write(
    options.json ? `${JSON.stringify(document)}\n` : `${tableOf(downloads, context.stdout.columns)}\n`,
  );
}

function tableOf(downloads: readonly Download[], columns: number | undefined): string {
  const rows = downloads.map((one) => [
    one.id,
    one.status,
    one.host ?? '(pool)',
    one.model === null ? '' : `${one.model.name}@${one.model.version ?? ''}`,
    one.file,
    `${one.percent ?? '?'}% of ${one.sizeBytes === null ? '?' : formatBytes(one.sizeBytes)}`,
    one.message,
  ]);
  return formatTable(['download', 'status', 'host', 'model', 'file', 'bytes', 'why'], rows, [5], columns, [0]);
}

/** Waits for downloads that were asked for before. */
export async function downloadWait(
  ids: readonly string[],
  options: AwaitOptions,
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const { maxDisconnectMs } = waitLimitsOf(options);
  const say = (error: Error): unknown => context.stderr.write(`${error.message}; trying again\n`);
  const known = await withApiDocument(options, context, () =>
    mapConcurrently([...new Set(ids)], READ_AT_ONCE, (id) =>
      reconnecting(() => client.getDownload(id), maxDisconnectMs, context.signal, say),
    ),
  );
  await awaitDownloads(client, known, options, context);
}
