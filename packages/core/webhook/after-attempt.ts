import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../units.ts';

/**
 * Pauses before the second to the last attempt: about three days in all.
 *
 * @see the section "Deliverability and reliability" of the Standard Webhooks specification
 */
export const RETRY_PAUSES_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
];

/** Pauses are up to this share longer, so that messages that failed together do not come back together. */
const JITTER = 0.1;

const GONE = 410;

/** How an attempt to send a message ended. */
export interface SendAttemptEnd {
  /** Undefined when there was no answer. */
  readonly status: number | undefined;
  /** The wait that the answer asked for. */
  readonly retryAfterMs: number | undefined;
}

export type AfterAttempt =
  | { readonly do: 'deliver' }
  /** `holdMs`: the endpoint asked to be left alone, which holds for its other messages too. */
  | { readonly do: 'retry'; readonly afterMs: number; readonly holdMs: number | undefined }
  /** No attempt is left. */
  | { readonly do: 'give-up' }
  /** The endpoint says that it is gone for good. */
  | { readonly do: 'disable' };

/**
 * What follows an attempt. A success is any 2xx; a redirect is none, because following it would send the message where the
 * operator did not say.
 *
 * @param attempts made so far, this one included; at least 1
 * @param random 0 <= random < 1
 */
export function afterAttempt(end: SendAttemptEnd, attempts: number, random: number): AfterAttempt {
  if (end.status !== undefined && end.status >= 200 && end.status < 300) return { do: 'deliver' };
  if (end.status === GONE) return { do: 'disable' };
  const pauseMs = RETRY_PAUSES_MS[attempts - 1];
  if (pauseMs === undefined) return { do: 'give-up' };
  const longest = Math.max(pauseMs, end.retryAfterMs ?? 0);
  return { do: 'retry', afterMs: Math.round(longest * (1 + JITTER * random)), holdMs: end.retryAfterMs };
}
