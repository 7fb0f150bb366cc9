/** Where a rollout stands. The last six are final: nothing more happens unless a person asks for a retry. */
export const ROLLOUT_STATES = [
  'awaiting_approval',
  'scheduled',
  'running',
  'soaking',
  'paused',
  'succeeded',
  'succeeded_with_failures',
  'failed',
  'timed_out',
  'cancelled',
  'superseded',
] as const;

export type RolloutState = (typeof ROLLOUT_STATES)[number];

/**
 * What can happen to a rollout.
 *
 * - `approve`          a person approved it
 * - `start`            its start time came and a window is open
 * - `soak`             a wave is done and its soak time begins
 * - `advance`          the soak time is over
 * - `pause`            a person, a threshold, a gate, a closed window or an unusable source stops new dispatches
 * - `resume`           the reason of the pause is gone, or a person resumed it
 * - `succeed`          every host has the files
 * - `succeed_partly`   enough hosts have the files, and no host is left to wait for
 * - `fail`             too many hosts failed
 * - `time_out`         the deadline passed before enough hosts had the files
 * - `cancel`           a person cancelled it
 * - `supersede`        a newer rollout wants the same models on the same hosts
 * - `retry`            a person asked to try the failed hosts again
 */
export const ROLLOUT_EVENTS = [
  'approve',
  'start',
  'soak',
  'advance',
  'pause',
  'resume',
  'succeed',
  'succeed_partly',
  'fail',
  'time_out',
  'cancel',
  'supersede',
  'retry',
] as const;

export type RolloutEvent = (typeof ROLLOUT_EVENTS)[number];

/** Why a rollout is paused. */
export const PAUSE_REASONS = ['manual', 'gate', 'threshold', 'window', 'budget', 'source'] as const;

export type PauseReason = (typeof PAUSE_REASONS)[number];

const ENDS = {
  succeed: 'succeeded',
  succeed_partly: 'succeeded_with_failures',
  fail: 'failed',
  time_out: 'timed_out',
  cancel: 'cancelled',
  supersede: 'superseded',
} as const;

const NEXT: Record<RolloutState, Partial<Record<RolloutEvent, RolloutState>>> = {
  awaiting_approval: { approve: 'scheduled', time_out: 'timed_out', cancel: 'cancelled', supersede: 'superseded' },
  scheduled: { start: 'running', pause: 'paused', ...ENDS },
  running: { soak: 'soaking', pause: 'paused', ...ENDS },
  soaking: { advance: 'running', pause: 'paused', ...ENDS },
  paused: { resume: 'running', ...ENDS },
  succeeded: {},
  succeeded_with_failures: { retry: 'running' },
  failed: { retry: 'running' },
  timed_out: { retry: 'running' },
  cancelled: {},
  superseded: {},
};

/** @returns the state after the event, or undefined when the move is illegal. */
export const nextRolloutState = (state: RolloutState, event: RolloutEvent): RolloutState | undefined =>
  NEXT[state][event];

/** @returns the states in which the event is legal: the `WHERE state IN (…)` of a guarded update. */
export const rolloutStatesBefore = (event: RolloutEvent): RolloutState[] =>
  ROLLOUT_STATES.filter((state) => NEXT[state][event] !== undefined);

/** True when the rollout has its verdict. */
export const isFinalRollout = (state: RolloutState): boolean => (Object.values(ENDS) as RolloutState[]).includes(state);
