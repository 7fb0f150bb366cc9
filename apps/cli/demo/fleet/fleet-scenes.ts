import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CreateRolloutInput } from '#contracts/http/rollouts/create-rollout';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { formatBytes } from '#core/units';
import { CliError, EXIT } from '../../exit-code.ts';
import { rolloutPage } from '../../rollout/rollout-document.ts';
import { rolloutDisplay } from '../../rollout/rollout-progress.ts';
import { endLines, headLines } from '../../rollout/rollout-text.ts';
import { watchRollout } from '../../rollout/watch-rollout.ts';
import { eventually } from '../eventually.ts';
import type { FleetHost, FleetStage, FleetVersion } from './fleet-stage.ts';

const WAVES: NonNullable<CreateRolloutInput['waves']> = [
  { name: 'canary', hosts: 2, prefer: 'env=canary' },
  { name: 'half', percent: 50 },
  { name: 'all', percent: 100 },
];
const LAST_WAVE = WAVES.length - 1;

/** A rollout ends by then, whatever happens; so does the demo. */
const DEADLINE = '10m';
/** A host without a new byte for this long has failed. */
const STALL = '40s';

export interface WavesReport {
  readonly rollout: string;
  readonly state: string;
  readonly waves: readonly { readonly name: string; readonly hosts: number }[];
  /** Bytes that the origin sent. */
  readonly bytesMoved: number;
}

/** Brings the first version to all hosts: two canaries, half of them, then the rest. */
export async function showWaves(stage: FleetStage): Promise<WavesReport> {
  const { client, origin, versions, hosts } = stage;
  const [first] = versions;
  origin.publish(first.commit, first.files);
  const sentBefore = origin.bytesSent();
  const started = await begin(stage, first, { waves: WAVES });
  const done = await follow(stage, started);
  expectState(done, 'succeeded', 'the first version');
  await expectShown(stage, hosts, first);
  const placed = (await client.listRolloutHosts(done.id, { limit: 500 })).hosts;
  const waves = WAVES.map(({ name = '' }) => ({ name, hosts: placed.filter(({ wave }) => wave === name).length }));
  stage.report(`every file of ${done.counts.succeeded} hosts was read again and has its digest`);
  return { rollout: done.id, state: done.state, waves, bytesMoved: origin.bytesSent() - sentBefore };
}

export interface PausedReport {
  readonly rollout: string;
  readonly reason: string;
  readonly message: string;
  readonly failedHosts: readonly string[];
  /** Hosts that had not begun: the pause kept the version away from them. */
  readonly untouchedHosts: number;
}

/** A file of the second version is not at the origin yet: both canaries fail, and the rollout pauses before any other host begins. */
export async function showPause(stage: FleetStage): Promise<{ report: PausedReport; rollout: Rollout }> {
  const { client, origin, versions, leaving, report } = stage;
  const [, second] = versions;
  origin.publish(second.commit, second.files.slice(0, -1));
  await leaving.stop();
  report(`the worker of ${leaving.host.name} is stopped; waiting until the host counts as offline`);
  await eventually(stage, 'the host to be offline', async () => {
    return (await client.getHost(leaving.host.name)).status === 'offline';
  });
  report('one file of the second version is missing at the origin');
  const started = await begin(stage, second, {
    waves: WAVES,
    success: { percent: 90 },
    onFailure: 'continue',
    abort: { failedHosts: 2, minSample: 2 },
    host: { stall: STALL },
  });
  const rollout = await follow(stage, started, ({ state }) => state === 'paused');
  expectState(rollout, 'paused', 'the second version');
  report(`paused: ${rollout.message}`);
  const failed = (await client.listRolloutHosts(rollout.id, { state: ['failed'], limit: 500 })).hosts;
  const { id, reason, message, counts } = rollout;
  const failedHosts = failed.map(({ host }) => host);
  return {
    report: { rollout: id, reason, message, failedHosts, untouchedHosts: counts.pending + counts.offline },
    rollout,
  };
}

export interface RetriedReport {
  readonly hosts: number;
  readonly succeeded: number;
}

/** The file is published, the canaries are tried again, and the other waves follow: until only the host that is away is missing. */
export async function showRetry(
  stage: FleetStage,
  paused: Rollout,
): Promise<{ report: RetriedReport; rollout: Rollout }> {
  const { client, origin, versions, hosts, small, report } = stage;
  const [, second] = versions;
  origin.publish(second.commit, second.files);
  report('the file is at the origin now: retry, and resume');
  await client.retryRollout(paused.id);
  const resumed = await client.actOnRollout(paused.id, 'resume');
  const wanted = hosts.length - 1 - ('missing' in small ? 0 : 1);
  const rollout = await follow(
    stage,
    resumed,
    ({ wave, counts }) => wave?.index === LAST_WAVE && counts.offline === 1 && counts.succeeded >= wanted,
  );
  if (rollout.isFinal) expectState(rollout, 'running', 'the rollout with an offline host');
  return { report: { hosts: paused.counts.failed, succeeded: rollout.counts.succeeded }, rollout };
}

export interface ReturnedReport {
  readonly host: string;
  readonly state: string;
}

/** The offline host returns and gets the second version, which is the one that is wanted now. */
export async function showReturn(
  stage: FleetStage,
  running: Rollout,
): Promise<{ report: ReturnedReport; rollout: Rollout }> {
  const { client, leaving, versions, small, report } = stage;
  report(`the worker of ${leaving.host.name} is started again`);
  await leaving.start();
  const rollout = await follow(stage, running);
  expectState(rollout, 'missing' in small ? 'succeeded' : 'succeeded_with_failures', 'the second version');
  const { hosts } = await client.listRolloutHosts(rollout.id, { q: leaving.host.name });
  const smallName = 'missing' in small ? undefined : small.name;
  await expectShown(
    stage,
    stage.hosts.filter(({ name }) => name !== smallName),
    versions[1],
  );
  for (const line of endLines(rollout, (await client.listRolloutErrors(rollout.id)).errors)) report(line);
  return { report: { host: leaving.host.name, state: hosts[0]!.state }, rollout };
}

export type DiskFullReport =
  | {
      readonly host: string;
      readonly reason: string | null;
      readonly message: string | null;
      /** The version that the host goes on showing, proven. */
      readonly shownVersion: string;
    }
  | { readonly skipped: string };

/** The host whose disk is too small failed with its reason, and goes on serving the first version. */
export async function showDiskFull(stage: FleetStage, ended: Rollout): Promise<DiskFullReport> {
  const { client, small, versions, report } = stage;
  if ('missing' in small) {
    report(`the host with a full disk is left out: ${small.missing}`);
    return { skipped: small.missing };
  }
  const { hosts } = await client.listRolloutHosts(ended.id, { q: small.name });
  const { host, reason, message } = hosts[0]!;
  await expectShown(stage, [small], versions[0]);
  report(`${host} failed (${reason}) and goes on with version ${versions[0].version}`);
  return { host, reason, message, shownVersion: versions[0].version };
}

export interface RolledBackReport {
  readonly rollout: string;
  readonly state: string;
  readonly hosts: number;
  readonly alreadyPresent: number;
  /** Bytes that the origin sent. */
  readonly bytesMoved: number;
}

/** Goes back to the first version, which every host still stores. */
export async function showRollback(stage: FleetStage): Promise<RolledBackReport> {
  const { origin, versions, hosts, report } = stage;
  const [first] = versions;
  const sentBefore = origin.bytesSent();
  const done = await follow(stage, await begin(stage, first, {}));
  expectState(done, 'succeeded', 'the rollback');
  await expectShown(stage, hosts, first);
  const bytesMoved = origin.bytesSent() - sentBefore;
  const { succeeded, alreadyPresent } = done.counts;
  report(`${succeeded} hosts show version ${first.version} again; ${formatBytes(bytesMoved)} were moved`);
  return { rollout: done.id, state: done.state, hosts: succeeded, alreadyPresent, bytesMoved };
}

async function begin(
  { client, apiUrl, model, selector, report }: FleetStage,
  { version }: FleetVersion,
  more: Partial<CreateRolloutInput>,
): Promise<Rollout> {
  const body = { models: [`${model}@${version}`], selector, deadline: DEADLINE, ...more };
  const rollout = await client.createRollout(body, randomUUID());
  for (const line of headLines(rollout, rolloutPage(apiUrl, rollout))) report(line);
  return rollout;
}

/** @returns the rollout once it has its verdict, or earlier where `until` says so */
function follow(
  { client, context }: FleetStage,
  rollout: Rollout,
  until?: (rollout: Rollout) => boolean,
): Promise<Rollout> {
  const display = rolloutDisplay('auto', context.stderr, context.env, () => new Date());
  return watchRollout(client, rollout, { until, maxDisconnectMs: 0, display, signal: context.signal });
}

function expectState(rollout: Rollout, state: Rollout['state'], what: string): void {
  if (rollout.state === state) return;
  throw new CliError(
    EXIT.failed,
    `${what} is ${rollout.state} where the demo expects ${state}: ${rollout.message} (rollout ${rollout.id})`,
  );
}

/** Reads what applications of these hosts see, and compares every digest. */
async function expectShown(
  { model }: FleetStage,
  hosts: readonly FleetHost[],
  { version, files }: FleetVersion,
): Promise<void> {
  for (const { name, home } of hosts)
    for (const { path, sha256 } of files) {
      const shown = await sha256Of(join(home, 'models', model, path));
      if (shown !== sha256) throw new CliError(EXIT.failed, `${name} does not show ${path} of version ${version}`);
    }
}

async function sha256Of(path: string): Promise<string> {
  const running = createHash('sha256');
  await pipeline(createReadStream(path), running);
  return running.digest('hex');
}
