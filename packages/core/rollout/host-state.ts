/** Where one host of a rollout stands. */
export const ROLLOUT_HOST_STATES = [
  'pending',
  'offline',
  'queued',
  'downloading',
  'verifying',
  'staged',
  'activating',
  'done',
  'failed',
  'skipped',
  'cancelled',
  'superseded',
  'unknown',
] as const;

export type RolloutHostState = (typeof ROLLOUT_HOST_STATES)[number];

/**
 * What can happen to a host in a rollout.
 *
 * - `dispatch`    its downloads are handed to the queue
 * - `start`       its worker moves bytes
 * - `verify`      all bytes are there and are being proven
 * - `stage`       every file is proven and published, and the host waits for its activation
 * - `activate`    its worker switches the view
 * - `finish`      it has what the rollout wants
 * - `fail`        it cannot have it; the failure class says why
 * - `lose`        its worker fell silent while it had work
 * - `go_offline`  its worker is away before it got work
 * - `come_back`   its worker is there again
 * - `skip`        the offline policy or a person leaves it out; it leaves the denominator
 * - `cancel`      the rollout or its part of it was cancelled
 * - `supersede`   a newer rollout wants the same on it
 * - `retry`       a person asked to try it again
 * - `rejoin`      the rollout holds, and the host is back without its models
 */
export const ROLLOUT_HOST_EVENTS = [
  'dispatch',
  'start',
  'verify',
  'stage',
  'activate',
  'finish',
  'fail',
  'lose',
  'go_offline',
  'come_back',
  'skip',
  'cancel',
  'supersede',
  'retry',
  'rejoin',
] as const;

export type RolloutHostEvent = (typeof ROLLOUT_HOST_EVENTS)[number];

const ENDS = { finish: 'done', fail: 'failed', cancel: 'cancelled', supersede: 'superseded' } as const;
const WORKS = { start: 'downloading', verify: 'verifying', stage: 'staged', activate: 'activating', ...ENDS } as const;

const NEXT: Record<RolloutHostState, Partial<Record<RolloutHostEvent, RolloutHostState>>> = {
  pending: { dispatch: 'queued', go_offline: 'offline', skip: 'skipped', ...ENDS },
  offline: { come_back: 'pending', skip: 'skipped', ...ENDS },
  queued: { lose: 'unknown', ...WORKS },
  downloading: { lose: 'unknown', ...WORKS },
  verifying: { lose: 'unknown', ...WORKS },
  staged: { lose: 'unknown', ...WORKS },
  activating: { lose: 'unknown', ...WORKS },
  unknown: { come_back: 'queued', ...WORKS },
  done: { rejoin: 'pending' },
  failed: { retry: 'pending', rejoin: 'pending' },
  skipped: { retry: 'pending', rejoin: 'pending' },
  cancelled: { retry: 'pending', rejoin: 'pending' },
  superseded: { rejoin: 'pending' },
};

/** @returns the state after the event, or undefined when the move is illegal. */
export const nextRolloutHostState = (state: RolloutHostState, event: RolloutHostEvent): RolloutHostState | undefined =>
  NEXT[state][event];

/** Nothing more happens to the host in the rollout unless a person asks for a retry, or the rollout holds. */
export const FINAL_HOST_STATES = ['done', 'failed', 'skipped', 'cancelled', 'superseded'] as const;

/** Hosts that hold a place of the concurrency limit. */
export const ACTIVE_HOST_STATES = ROLLOUT_HOST_STATES.filter(
  (state) => NEXT[state].stage !== undefined,
) as readonly RolloutHostState[];
