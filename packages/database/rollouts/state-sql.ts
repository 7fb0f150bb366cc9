import {
  FINAL_HOST_STATES,
  ROLLOUT_HOST_EVENTS,
  ROLLOUT_HOST_STATES,
  nextRolloutHostState,
} from '#core/rollout/host-state';
import { UNKNOWN_ZONE } from '#core/rollout/rollout-spec';
import {
  ROLLOUT_STATES,
  isFinalRollout,
  nextRolloutState,
  rolloutStatesBefore,
  type RolloutEvent,
} from '#core/rollout/rollout-state';

/*
 * The state tables of core as SQL text. Every part comes from closed lists in core, never from input.
 */

const quoted = (word: string): string => `'${word}'`;
const listed = (words: readonly string[]): string => words.map(quoted).join(', ');

/** @returns the state of a rollout after the event as an expression; NULL where the event is illegal */
export const nextRolloutSql = (event: RolloutEvent, from: string): string =>
  `CASE ${from} ${rolloutStatesBefore(event)
    .map((state) => `WHEN ${quoted(state)} THEN ${quoted(nextRolloutState(state, event)!)}`)
    .join(' ')} END`;

/** Rollouts that have no verdict yet. */
export const OPEN_ROLLOUT_STATES = listed(ROLLOUT_STATES.filter((state) => !isFinalRollout(state)));

const HOST_MOVES = ROLLOUT_HOST_EVENTS.flatMap((event) =>
  ROLLOUT_HOST_STATES.flatMap((state) => {
    const next = nextRolloutHostState(state, event);
    return next === undefined ? [] : [`WHEN ${quoted(`${event} ${state}`)} THEN ${quoted(next)}`];
  }),
).join(' ');

/** @returns the state of a host in a rollout after the event as an expression; NULL where the event is illegal */
export const nextHostSql = (event: string, from: string): string => `CASE ${event} || ' ' || ${from} ${HOST_MOVES} END`;

export const FINAL_HOST_LIST = listed(FINAL_HOST_STATES);

/** Time zone of the host `k`; that of a host which has none is UTC. */
export const ZONE_SQL = `coalesce(k.facts->>'timeZone', ${quoted(UNKNOWN_ZONE)})`;
