import { wholeNumber } from '#core/settings/setting-kinds';
import { clientFrom, withApi } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { formatTable } from '../../terminal/table.ts';
import { optionOf } from '../../typed.ts';

export interface AuditOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly since?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const LIMIT = wholeNumber(1, 500);

/** Lists writes of the API, newest first. */
export async function audit(options: AuditOptions, context: CommandContext): Promise<void> {
  const { actor, action, target, since } = options;
  const limit = usageOf(() => optionOf('--limit', LIMIT, options.limit));
  const found = await withApi(() => clientFrom(context.env).listAudit({ actor, action, target, since, limit }));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(found)}\n`);
    return;
  }
  const rows = found.entries.map((entry) => [
    entry.at,
    entry.actor,
    entry.action,
    entry.target ?? '',
    entry.result,
    entry.ip ?? '',
  ]);
  const head = ['at', 'by', 'action', 'target', 'result', 'from'];
  context.stdout.write(`${formatTable(head, rows, [], context.stdout.columns)}\n`);
}
