import { setTimeout as pause } from 'node:timers/promises';
import { parseCid } from '#content/cid/cid';
import { SECOND_MS } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { swarmDisplay } from '../../swarm/swarm-display.ts';
import { swarmLines } from '../../swarm/swarm-text.ts';

const USUAL_COLUMNS = 120;

/**
 * Shows which hosts have which pieces of one file.
 *
 * @param text root CID of the file, in any form
 */
export async function swarm(
  text: string,
  { json, watch }: { readonly json?: boolean; readonly watch?: boolean },
  context: CommandContext,
): Promise<void> {
  const { cid } = usageOf(() => parseCid(text));
  const client = clientFrom(context.env);
  const { stdout, stderr, env, signal } = context;
  const display = watch ? swarmDisplay(stderr, env) : undefined;
  let view = await withApi(() => client.getSwarm(cid));
  while (display !== undefined && view.hosts.some(({ state }) => state === 'leeching')) {
    display.update(view);
    await pause(SECOND_MS, undefined, { signal });
    view = await withApi(() => client.getSwarm(cid));
  }
  const lines = swarmLines(
    view,
    stdout.isTTY ? (stdout.columns ?? USUAL_COLUMNS) : USUAL_COLUMNS,
    Boolean(env['NO_COLOR']),
  );
  stdout.write(json ? `${JSON.stringify(view)}\n` : `${lines.join('\n')}\n`);
}
