import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { formatTable } from '../../terminal/table.ts';
import { parseModel } from '../../typed.ts';

export interface DownloadErrorsOptions {
  readonly model?: string;
  readonly host?: string;
  readonly since?: string;
  readonly waiting?: boolean;
  readonly json?: boolean;
}

/** Groups downloads that failed alike, most of them first. */
export async function downloadErrors(options: DownloadErrorsOptions, context: CommandContext): Promise<void> {
  const model = options.model === undefined ? undefined : parseModel(options.model);
  const filter = {
    model: model?.name,
    version: model?.version,
    host: options.host,
    since: options.since,
    status: options.waiting ? ['failed', 'paused'] : ['failed'],
  };
  const errors = await withApi(() => clientFrom(context.env).listDownloadErrors(filter));
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ errors })}\n`);
    return;
  }
  const rows = errors.map(({ reason, source, count, lastAt, hosts, message }) => [
    reason,
    source ?? '',
    String(count),
    lastAt,
    hosts.length === 0 ? '(pool)' : hosts.join(', '),
    message,
  ]);
  const heads = ['reason', 'source', 'downloads', 'last', 'such as', 'message'];
  context.stdout.write(`${formatTable(heads, rows, [2], context.stdout.columns)}\n`);
}
