import { formatBytes } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { formatTable } from '../../terminal/table.ts';

const MOST = 500;

/** Shows the files that hosts fetch or give now. @throws CliError for `--watch`, which needs a CID */
export async function swarmList(
  { json, watch }: { readonly json?: boolean; readonly watch?: boolean },
  { env, stdout }: CommandContext,
): Promise<void> {
  if (watch) throw new CliError(EXIT.usage, '--watch shows one file: name its CID');
  const list = await withApi(() => clientFrom(env).listSwarms(MOST));
  if (json) {
    stdout.write(`${JSON.stringify(list)}\n`);
    return;
  }
  const rows = list.swarms.map(({ cid, files: [file], sizeBytes, hosts, leechers, originCopies }) => [
    cid,
    file === undefined ? '' : `${file.model}@${file.version} ${file.path}`,
    formatBytes(sizeBytes),
    String(hosts),
    String(leechers),
    originCopies.toFixed(2),
  ]);
  const head = ['cid', 'file', 'size', 'hosts', 'fetch it', 'copies from the origin'];
  stdout.write(`${formatTable(head, rows, [2, 3, 4, 5], stdout.columns, [0])}\n`);
}
