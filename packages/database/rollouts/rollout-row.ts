import type { RolloutHostState } from '#core/rollout/host-state';
import type { RolloutModel, RolloutSpec } from '#core/rollout/rollout-spec';
import { shownHostSql } from '../hosts/shown-host-sql.ts';
import type { PauseReason, RolloutState } from '#core/rollout/rollout-state';

/** One row of `rollouts`. */
export interface RolloutRow {
  readonly id: string;
  readonly models: readonly RolloutModel[];
  readonly spec: RolloutSpec;
  readonly state: RolloutState;
  readonly pauseReason: PauseReason | null;
  /** For people: why it stands where it stands. */
  readonly reason: string;
  /** Index of the open wave; -1 before the first. */
  readonly wave: number;
  readonly soakUntil: Date | null;
  readonly isGateOpen: boolean;
  readonly brakeFinished: number;
  readonly brakeFailed: number;
  readonly isApproved: boolean;
  readonly startsAt: Date | null;
  readonly deadlineAt: Date;
  /** When later members were last looked for. */
  readonly membersAt: Date;
  /** Grows with each change of this row; progress of hosts does not change it. */
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly updatedAt: Date;
  /** It succeeded, and hosts that lack its models still get them. */
  readonly isHolding: boolean;
  /** Names the request that made it, in its trace. */
  readonly traceparent: string | null;
}

/** When the rollout decided what its hosts are to have; a later decision about a host wins. */
export const decidedAt = ({ startedAt, createdAt }: RolloutRow): Date => startedAt ?? createdAt;

/** What to select from `rollouts r` to get a RolloutRow. */
export const ROLLOUT_COLUMNS = `r.id, r.models, r.spec, r.state, r.pause_reason AS "pauseReason", r.reason, r.wave,
  r.soak_until AS "soakUntil", r.is_gate_open AS "isGateOpen", r.brake_finished AS "brakeFinished",
  r.brake_failed AS "brakeFailed", r.is_approved AS "isApproved", r.starts_at AS "startsAt", r.deadline_at AS "deadlineAt",
  r.members_at AS "membersAt", r.version, r.created_by AS "createdBy", r.created_at AS "createdAt",
  r.started_at AS "startedAt", r.ended_at AS "endedAt", r.updated_at AS "updatedAt", r.traceparent,
  r.is_holding AS "isHolding"`;

/** One row of `rollout_hosts`. Sizes in bytes. */
export interface RolloutHostRow {
  readonly host: string;
  /** The host in the case that its worker has. */
  readonly shownHost: string;
  readonly site: string;
  readonly position: number;
  readonly isLate: boolean;
  /** Null until a wave took it. */
  readonly wave: number | null;
  readonly state: RolloutHostState;
  readonly failureClass: string | null;
  readonly reason: string | null;
  readonly alreadyPresent: boolean;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly dispatchedAt: Date | null;
  readonly endedAt: Date | null;
  readonly updatedAt: Date;
}

/** What to select from `rollout_hosts h` to get a RolloutHostRow. */
export const ROLLOUT_HOST_COLUMNS = `h.host, ${shownHostSql('h.host')} AS "shownHost", h.site, h.position, h.is_late AS "isLate", h.wave, h.state,
  h.failure_class AS "failureClass", h.reason, h.already_present AS "alreadyPresent", h.bytes, h.total_bytes AS "totalBytes",
  h.bytes_per_second AS "bytesPerSecond", h.dispatched_at AS "dispatchedAt", h.ended_at AS "endedAt",
  h.updated_at AS "updatedAt"`;
