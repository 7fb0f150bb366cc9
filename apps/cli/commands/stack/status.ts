import { formatBytes } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { formatTable } from '../../terminal/table.ts';

/** Shows one download and every try at a source. */
export async function status(id: string, options: { json?: boolean }, context: CommandContext): Promise<void> {
  const download = await withApi(() => clientFrom(context.env).getDownload(id));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(download)}\n`);
    return;
  }
  const size = download.sizeBytes === null ? 'unknown size' : formatBytes(download.sizeBytes);
  const lines = [
    `${download.file}  ${download.status}: ${download.message}`,
    `${formatBytes(download.bytes)} of ${size}${download.path === null ? '' : `  ${download.path}`}`,
  ];
  const tries = download.tries.map((one) => [
    one.at,
    one.layer,
    one.source,
    one.status,
    formatBytes(one.bytes),
    `${one.latencyMs} ms`,
    one.errorMessage ?? '',
  ]);
  if (tries.length > 0)
    lines.push(
      formatTable(['at', 'layer', 'source', 'result', 'bytes', 'took', 'error'], tries, [4, 5], context.stdout.columns),
    );
  context.stdout.write(`${lines.join('\n')}\n`);
}
