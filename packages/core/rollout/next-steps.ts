import { plural } from '../text/plural.ts';
import type { AbortSpec, RolloutPolicy, WaveSpec } from './rollout-spec.ts';
import { WHOLE } from './rollout-spec.ts';
import { isFinalRollout, type PauseReason, type RolloutEvent, type RolloutState } from './rollout-state.ts';
import { allowedFailures, isOutOfReach, requiredHosts, verdictEvent, type VerdictCounts } from './verdict.ts';
import { rampLimit, waveHosts } from './wave-size.ts';

/** Hosts of one site that belong to opened waves. */
export interface SiteCounts {
  readonly site: string;
  /** Online and not yet dispatched. */
  readonly ready: number;
  readonly active: number;
  /** Online, and held back by the byte budget of the site; not among the ready ones. */
  readonly held?: number | undefined;
}

/** Everything the next step depends on. Counts are of this moment; times are milliseconds of one clock. */
export interface RolloutSnapshot {
  readonly state: RolloutState;
  readonly pauseReason?: PauseReason | undefined;
  readonly policy: RolloutPolicy;
  readonly isApproved: boolean;
  readonly startsAt?: number | undefined;
  readonly deadlineAt: number;
  /** A maintenance window is open, or the rollout has none. */
  readonly isWindowOpen: boolean;
  /** A source of the models can be used at all. */
  readonly isSourceUsable: boolean;
  /** Index of the open wave; -1 before the first. The last one while the rollout holds. */
  readonly wave: number;
  /** When the soak time of the open wave ends; undefined until the wave is done. */
  readonly soakUntil?: number | undefined;
  /** A person resumed the rollout after the open wave paused it at its gate. */
  readonly isGateOpen: boolean;
  /** Hosts that waves opened, without skipped ones. */
  readonly openedHosts: number;
  readonly counts: VerdictCounts;
  /** Hosts of the open wave; offline ones are in none of these numbers. */
  readonly inWave: {
    readonly active: number;
    readonly ready: number;
    readonly succeeded: number;
    readonly failed: number;
  };
  /** Hosts of the open wave that ended since it opened or was last resumed: what the brake looks at. */
  readonly brake: { readonly finished: number; readonly failed: number };
  readonly sites: readonly SiteCounts[];
  /** Hosts that have every file and wait for their activation. */
  readonly staged: number;
  /** It has its verdict, and hosts that lack the models still get them. */
  readonly isHolding?: boolean | undefined;
}

/** One thing to carry out. A move is guarded by the state table; the others are safe to repeat. */
export type RolloutStep =
  | {
      readonly do: 'move';
      readonly event: RolloutEvent;
      readonly pauseReason?: PauseReason;
      readonly soakUntil?: number;
      readonly sentence: string;
    }
  | { readonly do: 'open-wave'; readonly wave: number; readonly hosts: number }
  | { readonly do: 'dispatch'; readonly site: string; readonly hosts: number }
  /** Every host that is staged is told to show the models. */
  | { readonly do: 'activate'; readonly hosts: number }
  /** Hosts that are not final end: as failed by time-out, or as cancelled. */
  | { readonly do: 'end-hosts'; readonly as: 'timed_out' | 'cancelled' };

/**
 * What a rollout does next. Pure: carrying out the steps and asking again reaches a point where nothing is left to do
 * until a count or the clock changes.
 *
 * @param now milliseconds of the clock that the snapshot's times are of
 */
export function nextSteps(rollout: RolloutSnapshot, now: number): RolloutStep[] {
  const { state, policy, counts } = rollout;
  if (isFinalRollout(state)) return hold(rollout);
  if (now >= rollout.deadlineAt) return endOverdue(rollout);
  if (state === 'awaiting_approval')
    return rollout.isApproved ? [move('approve', 'it was approved and waits for its start')] : [];
  if (counts.succeeded + counts.failed === counts.targeted) return [verdict(rollout, false)];
  if (policy.onFailure === 'stop' && isOutOfReach(policy.successShare, counts)) return stop(rollout);
  if (state === 'scheduled') return start(rollout, now);
  if (state === 'paused') return resumeByItself(rollout);
  const pause = pauseNow(rollout);
  if (pause !== undefined) return pause;
  return state === 'soaking' ? endSoak(rollout, now) : proceed(rollout, now);
}

/** After the verdict: hosts that lack the models get them within the limits of the last wave. */
function hold(rollout: RolloutSnapshot): RolloutStep[] {
  const { isHolding, isWindowOpen, isSourceUsable } = rollout;
  return isHolding && isWindowOpen && isSourceUsable ? [...activate(rollout), ...dispatch(rollout)] : [];
}

function endOverdue(rollout: RolloutSnapshot): RolloutStep[] {
  const { counts } = rollout;
  const open = counts.targeted - counts.succeeded - counts.failed;
  const ended: RolloutSnapshot = { ...rollout, counts: { ...counts, failed: counts.failed + open } };
  return [...(open > 0 ? [{ do: 'end-hosts', as: 'timed_out' } as const] : []), verdict(ended, true)];
}

function verdict({ policy, counts }: RolloutSnapshot, isOverdue: boolean): RolloutStep {
  const required = requiredHosts(policy.successShare, counts.targeted);
  const sentence = `${counts.succeeded} of ${counts.targeted} hosts have it, ${required} are required`;
  return move(
    verdictEvent(policy.successShare, counts, isOverdue),
    isOverdue ? `the deadline passed: ${sentence}` : sentence,
  );
}

function stop({ policy, counts }: RolloutSnapshot): RolloutStep[] {
  const allowed = allowedFailures(policy.successShare, counts.targeted);
  const sentence = `${plural(counts.failed, 'host')} failed and at most ${allowed} of ${counts.targeted} may`;
  return [{ do: 'end-hosts', as: 'cancelled' }, move('fail', sentence)];
}

function start({ startsAt, isWindowOpen }: RolloutSnapshot, now: number): RolloutStep[] {
  return (startsAt ?? now) <= now && isWindowOpen ? [move('start', 'it runs')] : [];
}

/** A pause by a window, a source or a budget ends with its reason; every other pause waits for a person. */
function resumeByItself(rollout: RolloutSnapshot): RolloutStep[] {
  const { pauseReason, isWindowOpen, isSourceUsable } = rollout;
  if (pauseReason === 'window' && isWindowOpen) return [move('resume', 'its window is open again')];
  if (pauseReason === 'source' && isSourceUsable) return [move('resume', 'a source can be used again')];
  if (pauseReason === 'budget' && spentSites(rollout).length === 0)
    return [move('resume', 'a site has bytes left again')];
  return [];
}

function pauseNow(rollout: RolloutSnapshot): RolloutStep[] | undefined {
  const tripped = brakeSentence(rollout.policy.abort, rollout.brake);
  if (tripped !== undefined) {
    if (rollout.policy.abort?.action === 'stop')
      return [{ do: 'end-hosts', as: 'cancelled' }, move('fail', `the abort limit was reached: ${tripped}`)];
    return [pause('threshold', `the abort limit was reached: ${tripped}; running hosts go on`)];
  }
  if (!rollout.isWindowOpen) return [pause('window', 'its window is closed; running hosts go on')];
  if (!rollout.isSourceUsable) return [pause('source', 'no source of its models can be used now')];
  const spent = spentSites(rollout);
  if (spent.length > 0) return [pause('budget', `the byte budget of ${spent.join(', ')} is used up for now`)];
  return undefined;
}

/** @returns the sites whose budgets hold back every host that the rollout could go on with; none while a host is at work or may begin */
function spentSites({ sites }: RolloutSnapshot): string[] {
  if (sites.some(({ active, ready }) => active > 0 || ready > 0)) return [];
  return sites.filter(({ held = 0 }) => held > 0).map(({ site }) => site);
}

/** @returns what tripped the brake; the boundary itself trips it */
function brakeSentence(
  abort: AbortSpec | undefined,
  { finished, failed }: RolloutSnapshot['brake'],
): string | undefined {
  if (abort === undefined || failed === 0 || finished < abort.minSample) return undefined;
  const { failedShare, failedHosts } = abort;
  if (failedHosts !== undefined && failed >= failedHosts)
    return `${plural(failed, 'host')} failed, the limit is ${failedHosts}`;
  if (failedShare !== undefined && failed * WHOLE >= failedShare * finished)
    return `${failed} of ${finished} finished hosts failed, the limit is ${failedShare / 100} %`;
  return undefined;
}

function endSoak(rollout: RolloutSnapshot, now: number): RolloutStep[] {
  return now >= (rollout.soakUntil ?? now) ? [move('advance', 'the soak time is over')] : [];
}

/** Opens waves and hands out hosts while it runs. */
function proceed(rollout: RolloutSnapshot, now: number): RolloutStep[] {
  const { policy, wave, inWave, counts } = rollout;
  if (wave < 0) return [openWave(rollout, 0)];
  const begun = [...activate(rollout), ...dispatch(rollout)];
  if (begun.length > 0 || inWave.active > 0 || inWave.ready > 0) return begun;
  if (rollout.openedHosts === counts.targeted) return [];
  return passGate(rollout, policy.waves[wave]!, now);
}

function openWave({ policy, counts, openedHosts }: RolloutSnapshot, wave: number): RolloutStep {
  const isLast = wave === policy.waves.length - 1;
  return { do: 'open-wave', wave, hosts: waveHosts(policy.waves[wave]!, counts.targeted, openedHosts, isLast) };
}

/** The open wave is done: its own failures, soak, gate, then the next wave. */
function passGate(rollout: RolloutSnapshot, wave: WaveSpec, now: number): RolloutStep[] {
  const { succeeded, failed } = rollout.inWave;
  const inWave = { targeted: succeeded + failed, succeeded, failed };
  if (!rollout.isGateOpen && isOutOfReach(rollout.policy.successShare, inWave))
    return [pause('gate', `${failed} of ${inWave.targeted} hosts of wave ${wave.name} failed; resume to go on`)];
  const soakUntil = rollout.soakUntil ?? now + wave.soakMs;
  // A rollout that was paused while it soaked soaks on.
  if (now < soakUntil) return [{ ...move('soak', `wave ${wave.name} is done and soaks`), soakUntil }];
  if (wave.gate === 'manual' && !rollout.isGateOpen)
    return [pause('gate', `wave ${wave.name} is done; resume the rollout to open the next one`)];
  return [openWave(rollout, rollout.wave + 1)];
}

/** A pause holds activations back: no further host shows the models then. */
const activate = ({ staged }: RolloutSnapshot): Extract<RolloutStep, { do: 'activate' }>[] =>
  staged > 0 ? [{ do: 'activate', hosts: staged }] : [];

/** Free places are shared by the sites; the one with the fewest active hosts is served first. */
function dispatch({ policy, wave, inWave, sites }: RolloutSnapshot): Extract<RolloutStep, { do: 'dispatch' }>[] {
  const { global = Infinity, perSite = Infinity } = policy.concurrency;
  const active = sites.reduce((sum, site) => sum + site.active, 0);
  let free = Math.min(global - active, rampLimit(policy.waves[wave]!, inWave.succeeded) - inWave.active);
  const steps = [];
  const waiting = sites.filter(({ ready }) => ready > 0).sort((a, b) => a.active - b.active);
  for (const [index, { site, ready, active: busy }] of waiting.entries()) {
    const hosts = Math.min(ready, Math.ceil(free / (waiting.length - index)), perSite - busy);
    if (hosts <= 0) continue;
    free -= hosts;
    steps.push({ do: 'dispatch' as const, site, hosts });
  }
  return steps;
}

type Move = Extract<RolloutStep, { do: 'move' }>;

const move = (event: RolloutEvent, sentence: string): Move => ({ do: 'move', event, sentence });

const pause = (pauseReason: PauseReason, sentence: string): Move => ({
  do: 'move',
  event: 'pause',
  pauseReason,
  sentence,
});
