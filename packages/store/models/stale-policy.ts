import { DAY_MS } from '#core/units';

/** How long content is served without news from its origin; milliseconds. */
export interface StaleLimits {
  /** Up to this age nothing is asked. */
  readonly freshMs: number;
  /** So much longer it is served while the check fails. */
  readonly graceMs: number;
  /** Up to this age it is served while the host is offline. */
  readonly offlineMs: number;
}

export const STALE_LIMITS: StaleLimits = { freshMs: 90 * DAY_MS, graceMs: 7 * DAY_MS, offlineMs: 365 * DAY_MS };

export interface StaleFacts {
  readonly nowMs: number;
  /** When the version was downloaded or last confirmed by its origin, whichever is later. */
  readonly confirmedAtMs: number;
  /** How the last check since then ended. `offline` means that no origin could be reached at all. */
  readonly lastCheck: 'none' | 'failed' | 'offline';
}

export type StaleDecision =
  | { readonly state: 'fresh'; readonly serve: true; readonly check: false }
  /** Served at once; a check runs behind. `untilMs` is when that ends if no check succeeds. */
  | {
      readonly state: 'stale' | 'stale-check-failed' | 'stale-offline';
      readonly serve: true;
      readonly check: true;
      readonly untilMs: number;
    }
  | { readonly state: 'expired'; readonly serve: false; readonly check: true };

/**
 * Whether a version may be served, and whether its origin should be asked. Every limit is inclusive: at exactly 90 days content
 * is fresh, one millisecond later it is stale. A confirmation in the future (a wrong clock) counts as now.
 */
export function staleDecision(facts: StaleFacts, limits: StaleLimits = STALE_LIMITS): StaleDecision {
  const ageMs = Math.max(0, facts.nowMs - facts.confirmedAtMs);
  if (ageMs <= limits.freshMs) return { state: 'fresh', serve: true, check: false };
  const lastsMs = { none: limits.offlineMs, failed: limits.freshMs + limits.graceMs, offline: limits.offlineMs }[
    facts.lastCheck
  ];
  if (ageMs > lastsMs) return { state: 'expired', serve: false, check: true };
  const state = ({ none: 'stale', failed: 'stale-check-failed', offline: 'stale-offline' } as const)[facts.lastCheck];
  return { state, serve: true, check: true, untilMs: facts.confirmedAtMs + lastsMs };
}
