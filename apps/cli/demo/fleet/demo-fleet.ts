import { withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { showDiskFull, showPause, showRetry, showReturn, showRollback, showWaves } from './fleet-scenes.ts';
import { prepareFleet, type FleetStage } from './fleet-stage.ts';
import type { DemoServers } from '../ground.ts';
import { CliError, EXIT, type ExitCode } from '../../exit-code.ts';
import { exitCodeOf, rolloutPage, rolloutDocument } from '../../rollout/rollout-document.ts';

/**
 * Runs twelve workers on this machine and brings a model to them in waves: a limit that is reached, a retry, a host that returns, a disk
 * that is full, and the way back. Ends with the verdict and the exit code of the second version's rollout.
 *
 * @param servers used instead of servers of the demo's own
 * @throws CliError when a scene ends otherwise than it should, and with the exit code of the rollout
 */
export async function demoFleet(
  options: { readonly json?: boolean },
  context: CommandContext,
  servers?: DemoServers,
): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const stage = await withApi(() => prepareFleet(context, stops, servers));
    const { document, exitCode, message } = await withApi(() => play(stage));
    if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
    context.stderr.write(`demo: ${message}; exit code ${exitCode}\n`);
    if (exitCode !== EXIT.done) throw new CliError(exitCode, message);
  } finally {
    if (stops.length > 0) context.stderr.write('demo: stopping\n');
    for (const stop of stops.reverse()) await stop();
  }
}

async function play(stage: FleetStage): Promise<{ document: object; exitCode: ExitCode; message: string }> {
  const waves = await showWaves(stage);
  const paused = await showPause(stage);
  const retried = await showRetry(stage, paused.rollout);
  const returned = await showReturn(stage, retried.rollout);
  const { rollout } = returned;
  const diskFull = await showDiskFull(stage, rollout);
  const rolledBack = await showRollback(stage);
  const exitCode = exitCodeOf(rollout);
  const { errors } = await stage.client.listRolloutErrors(rollout.id);
  const document = {
    schema: 'haulier.demo-fleet/v1',
    model: stage.model,
    hosts: stage.hosts.length,
    waves,
    paused: paused.report,
    retried: retried.report,
    returned: returned.report,
    diskFull,
    rolledBack,
    rollout: rolloutDocument(rollout, errors, rolloutPage(stage.apiUrl, rollout), exitCode),
    exitCode,
  };
  const verdict = `${rollout.state.replaceAll('_', ' ')}: ${rollout.message}`;
  return { document, exitCode, message: `rollout ${rollout.id} ${verdict}` };
}
