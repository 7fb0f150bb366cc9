import type { Rollout, RolloutPlan } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors, RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import type { RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import { plural } from '#core/text/plural';
import { formatBytes, formatDuration } from '#core/units';
import { printable } from '../terminal/cells.ts';

/** `whisper-base@1.2` of each model, joined by commas. */
export const modelsText = ({ models }: Pick<Rollout, 'models'>): string =>
  models.map(({ name, version }) => `${name}@${version}`).join(', ');

/** What a rollout is, in the lines that a pipeline's log begins with. */
export function headLines(rollout: Rollout, url: string): string[] {
  const { counts, threshold, models } = rollout;
  const files = models.reduce((sum, model) => sum + model.files, 0);
  const size = formatBytes(models.reduce((sum, model) => sum + model.sizeBytes, 0));
  const deadlineMs = Date.parse(rollout.deadlineAt) - Date.parse(rollout.startsAt ?? rollout.createdAt);
  const fails = plural(threshold.allowedFailures + 1, 'failure');
  const beyond = rollout.onFailure === 'stop' ? `fails after ${fails}` : `goes on after ${fails}, and fails at its end`;
  return [
    `rollout ${rollout.id}: ${modelsText(rollout)} (${plural(files, 'file')}, ${size}) → ${plural(counts.targeted, 'host')} matching ${rollout.selector || 'anything'}`,
    `threshold ${threshold.percent}% = at least ${plural(threshold.required, 'host')}; ${beyond}; deadline ${formatDuration(deadlineMs)}`,
    url,
  ];
}

/** What goes on, and how far. */
export function titleLine(rollout: Rollout): string {
  const { wave } = rollout;
  const where = wave === null ? '' : ` · wave ${wave.name} (${wave.index + 1} of ${wave.of})`;
  return `${modelsText(rollout)} → ${plural(rollout.counts.targeted, 'host')}${where}`;
}

/** One host at work. */
export function hostLine({ host, state, bytes, totalBytes, bytesPerSecond, message }: RolloutHost): string {
  const share = totalBytes === 0 ? '' : `  ${Math.floor((100 * bytes) / totalBytes)}%`;
  const rate = bytesPerSecond === 0 ? '' : `  ${formatBytes(bytesPerSecond)}/s`;
  return `  ${host}  ${state}${share}${rate}${message === null ? '' : `  ${printable(message)}`}`;
}

/** The layers that the bytes came from, with their shares; empty before the first byte. */
export function sharesText(sources: RolloutSources['sources']): string {
  const ofLayer = new Map<string, number>();
  for (const { layer, bytes } of sources) ofLayer.set(layer, (ofLayer.get(layer) ?? 0) + bytes);
  const shares = [...ofLayer].filter(([, bytes]) => bytes > 0).sort(([, one], [, other]) => other - one);
  const sum = shares.reduce((total, [, bytes]) => total + bytes, 0);
  return shares.map(([layer, bytes]) => `${layer} ${Math.round((100 * bytes) / sum)}%`).join(' · ');
}

/** Hosts that ended. */
export const endedOf = ({ counts }: Rollout): number =>
  counts.succeeded + counts.failed + counts.timedOut + counts.cancelled;

export const percentOf = (rollout: Rollout): number =>
  rollout.counts.targeted === 0 ? 100 : Math.floor((100 * endedOf(rollout)) / rollout.counts.targeted);

/** How a rollout stands, in one line, with its state unless it runs. */
export const progressLine = (rollout: Rollout): string =>
  `${hostsLine(rollout)}${rollout.state === 'running' ? '' : ` | ${stateLine(rollout)}`}`;

/** The state in words, and why. */
export const stateLine = ({ state, message }: Pick<Rollout, 'state' | 'message'>): string =>
  `${state.replaceAll('_', ' ')}: ${printable(message)}`;

/** Copies that left the origin, and how many may; empty before the first byte, and where hosts share no file. */
export const originCopiesText = ({ originCopies: { copies, allowed } }: Pick<Rollout, 'originCopies'>): string =>
  copies === null ? '' : `${copies.toFixed(2)} of ${allowed} ${allowed === 1 ? 'copy' : 'copies'} from the origin`;

/** How many hosts are how far. */
export function hostsLine(rollout: Rollout): string {
  const { counts, bytes } = rollout;
  const part = (count: number, word: string): string[] => (count === 0 ? [] : [`${count} ${word}`]);
  const present = counts.alreadyPresent > 0 ? ` (${counts.alreadyPresent} already present)` : '';
  const hosts = [
    `${counts.succeeded} ok${present}`,
    ...part(counts.running, 'running'),
    ...part(counts.unknown, 'silent'),
    ...part(counts.pending, 'queued'),
    ...part(counts.offline, 'offline'),
    ...part(counts.failed + counts.timedOut, 'failed'),
    ...part(counts.cancelled, 'cancelled'),
    ...part(counts.skipped, 'skipped'),
  ].join(' · ');
  const left = bytes.total - bytes.done;
  const rate =
    bytes.perSecond === 0 ? '' : ` | ${formatBytes(bytes.perSecond)}/s | eta ${etaText(left / bytes.perSecond)}`;
  return `${String(percentOf(rollout)).padStart(3)}% | ${hosts}${rate}`;
}

/** In whole seconds: fractions would flicker. */
function etaText(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : formatDuration(1000 * whole);
}

export const failedLine = ({ host, reason, message }: RolloutHost): string =>
  `FAILED host ${host}: ${reason ?? 'failed'}${message === null ? '' : ` — ${printable(message)}`}`;

/** The verdict, why hosts failed, and what to do next. */
export function endLines(rollout: Rollout, errors: RolloutErrors['errors']): string[] {
  const { counts, threshold } = rollout;
  const percent = counts.targeted === 0 ? 100 : Math.round((10_000 * counts.succeeded) / counts.targeted) / 100;
  const reached = `${counts.succeeded}/${counts.targeted} (${percent}%) ${threshold.met ? '≥' : '<'} ${threshold.percent}%`;
  // No host is left where a newer rollout took them all, or all were skipped.
  const compared = counts.targeted === 0 ? 'no host is left' : reached;
  const took = formatDuration(durationMs(rollout));
  const groups = errors.map(({ reason, count, hosts }) => {
    const more = count > hosts.length ? ', …' : '';
    return `         ${count} × ${reason} (${hosts.join(', ')}${more})`;
  });
  const verdict = `${rollout.state.toUpperCase().replaceAll('_', ' ')}: ${compared} in ${took}`;
  const why =
    rollout.state === 'succeeded' || rollout.state === 'succeeded_with_failures'
      ? []
      : [`         ${printable(rollout.message)}`];
  const canRetry = errors.length > 0 && rollout.state !== 'cancelled' && rollout.state !== 'superseded';
  const hint = canRetry ? [`         retry just these: haulier rollout retry-failed ${rollout.id}`] : [];
  return [verdict, ...why, ...groups, ...hint];
}

export const durationMs = ({ createdAt, startedAt, endedAt, updatedAt }: Rollout): number =>
  Math.max(0, Date.parse(endedAt ?? updatedAt) - Date.parse(startedAt ?? createdAt));

function siteLine({ site, hosts, bytes, freeBudgetBytes }: RolloutPlan['sites'][number]): string {
  const budget = freeBudgetBytes === null ? '' : `; its budget has ${formatBytes(freeBudgetBytes)} left now`;
  return `site ${site || '(none)'}: ${plural(hosts, 'host')}, ${formatBytes(bytes)}${budget}`;
}

/** What a dry run answers. */
export function planLines(plan: RolloutPlan): string[] {
  const { bytes, threshold, hostsWithoutSpace } = plan;
  const estimate =
    plan.estimateSeconds === null ? 'no estimate yet' : `about ${formatDuration(1000 * plan.estimateSeconds)}`;
  return [
    `${modelsText(plan)} → ${plural(plan.hosts, 'host')} (${plan.offlineHosts} offline): ${plan.sampleHosts.join(', ')}${plan.hosts > plan.sampleHosts.length ? ', …' : ''}`,
    `threshold ${threshold.percent}% = at least ${plural(threshold.required, 'host')}; ${threshold.allowedFailures} may fail`,
    `${formatBytes(bytes.missing)} to fetch of ${formatBytes(bytes.total)}; ${estimate}`,
    `waves: ${plan.waves.map(({ name, hosts }) => `${name} ${hosts}`).join(', ')}`,
    ...plan.sites.map(siteLine),
    ...hostsWithoutSpace.map(({ host, missingBytes }) => `host ${host} lacks ${formatBytes(missingBytes)} of space`),
    ...plan.supersedes.map((id) => `takes hosts away from rollout ${id}`),
  ];
}
