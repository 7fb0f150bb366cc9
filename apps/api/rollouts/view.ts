import { createHash } from 'node:crypto';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import { ACTIVE_HOST_STATES, type RolloutHostState } from '#core/rollout/host-state';
import { isFinalRollout } from '#core/rollout/rollout-state';
import { allowedFailures, isThresholdMet, requiredHosts } from '#core/rollout/verdict';
import type { HostGroup } from '#database/rollouts/host-counts';
import type { RolloutHostRow, RolloutRow } from '#database/rollouts/rollout-row';
import type { OriginSum } from '#database/rollouts/rollout-swarms';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';
import { isWindowOpen, needsZones, nextOpening } from './window.ts';

/** What is stored beside the row of a rollout. */
export interface RolloutSums {
  readonly groups: readonly HostGroup[];
  /** Undefined where its hosts share no file. */
  readonly origin: OriginSum | undefined;
}

/** @param now milliseconds since 1970 */
export function rolloutView(row: RolloutRow, { groups, origin }: RolloutSums, now: number): Rollout {
  const { id, spec, state } = row;
  const { waves } = spec.policy;
  const counts = countsOf(groups);
  const view = {
    id,
    state,
    isFinal: isFinalRollout(state),
    ...whyOf(row, now),
    models: [...row.models],
    selector: spec.selector,
    exclude: [...spec.exclude],
    wave: row.wave < 0 ? null : { index: row.wave, name: waves[row.wave]!.name, of: waves.length },
    waves: waves.map(({ name, size, gate, soakMs }) => ({
      name,
      hosts: 'hosts' in size ? size.hosts : null,
      percent: 'share' in size ? size.share / 100 : null,
      gate,
      soakMs,
    })),
    counts,
    threshold: thresholdOf(spec.policy.successShare, counts),
    bytes: bytesOf(groups),
    originCopies: copiesOf(spec, origin),
    offline: spec.offline,
    onFailure: spec.policy.onFailure,
    mode: spec.mode ?? null,
    priority: spec.priority ?? null,
    hold: spec.hold ?? false,
    isHolding: row.isHolding,
    deadlineAt: momentOf(row.deadlineAt),
    startsAt: momentOrNull(row.startsAt),
    soakUntil: momentOrNull(row.soakUntil),
    createdBy: row.createdBy,
    createdAt: momentOf(row.createdAt),
    startedAt: momentOrNull(row.startedAt),
    endedAt: momentOrNull(row.endedAt),
    updatedAt: momentOf(row.updatedAt),
    links: linksOf(id),
  };
  const said = JSON.stringify([row.version, view]);
  return { ...view, version: createHash('sha256').update(said).digest('hex').slice(0, 16) };
}

/** A rollout that has not started says what it waits for. */
function whyOf(
  { state, pauseReason, reason, startsAt, spec }: RolloutRow,
  now: number,
): Pick<Rollout, 'reason' | 'message'> {
  if (state !== 'scheduled') return { reason: pauseReason ?? state, message: reason };
  if (startsAt !== null && startsAt.getTime() > now)
    return { reason: 'start_time', message: `it starts at ${momentOf(startsAt)}` };
  const { windows } = spec;
  if (needsZones(windows)) return { reason: 'window', message: 'it starts when a window of one of its hosts opens' };
  if (isWindowOpen(windows, now)) return { reason: state, message: reason };
  return {
    reason: 'window',
    message: `its window is closed; the next one opens at ${momentOf(nextOpening(windows, now))}`,
  };
}

/** The tag of what people change; progress does not change it. */
export const etagOf = (row: RolloutRow): string => `"${row.version}"`;

function countsOf(groups: readonly HostGroup[]): Rollout['counts'] {
  const sum = (holds: (group: HostGroup) => boolean): number =>
    groups.filter((group) => !group.isLate && holds(group)).reduce((total, { hosts }) => total + hosts, 0);
  const inState = (...states: RolloutHostState[]): number => sum(({ state }) => states.includes(state));
  const timedOut = sum(({ state, isTimedOut }) => state === 'failed' && isTimedOut);
  return {
    targeted: sum(({ state }) => state !== 'skipped' && state !== 'superseded'),
    succeeded: inState('done'),
    alreadyPresent: sum(({ state, alreadyPresent }) => state === 'done' && alreadyPresent),
    failed: inState('failed') - timedOut,
    timedOut,
    cancelled: inState('cancelled'),
    pending: inState('pending'),
    offline: inState('offline'),
    running: inState(...ACTIVE_HOST_STATES.filter((state) => state !== 'unknown')),
    unknown: inState('unknown'),
    skipped: inState('skipped'),
    superseded: inState('superseded'),
    late: groups.filter(({ isLate }) => isLate).reduce((total, { hosts }) => total + hosts, 0),
  };
}

function thresholdOf(share: number, { targeted, succeeded }: Rollout['counts']): Rollout['threshold'] {
  return {
    percent: share / 100,
    required: requiredHosts(share, targeted),
    allowedFailures: allowedFailures(share, targeted),
    met: isThresholdMet(share, { targeted, succeeded, failed: 0 }),
  };
}

function bytesOf(groups: readonly HostGroup[]): Rollout['bytes'] {
  const sum = (of: (group: HostGroup) => number): number => groups.reduce((total, group) => total + of(group), 0);
  return {
    done: sum(({ bytes }) => bytes),
    total: sum(({ totalBytes }) => totalBytes),
    perSecond: sum(({ bytesPerSecond }) => bytesPerSecond),
  };
}

/** How many copies left the origin, and how many may. */
export const copiesOf = (
  { originCopies = 1 }: RolloutRow['spec'],
  origin: OriginSum | undefined,
): Rollout['originCopies'] => ({
  copies: origin === undefined ? null : origin.originBytes / origin.sizeBytes,
  allowed: originCopies,
});

const linksOf = (id: string): Rollout['links'] => ({
  self: `/api/rollouts/${id}`,
  hosts: `/api/rollouts/${id}/hosts`,
  errors: `/api/rollouts/${id}/errors`,
  events: `/api/rollouts/${id}/events`,
  swarms: `/api/rollouts/${id}/swarms`,
});

export const rolloutHostView = (row: RolloutHostRow, { spec }: RolloutRow): RolloutHost => ({
  host: row.shownHost,
  site: row.site,
  wave: row.wave === null ? null : spec.policy.waves[row.wave]!.name,
  state: row.state,
  reason: row.failureClass,
  message: row.reason,
  alreadyPresent: row.alreadyPresent,
  isLate: row.isLate,
  bytes: row.bytes,
  totalBytes: row.totalBytes,
  bytesPerSecond: row.bytesPerSecond,
  dispatchedAt: momentOrNull(row.dispatchedAt),
  endedAt: momentOrNull(row.endedAt),
  updatedAt: momentOf(row.updatedAt),
});
