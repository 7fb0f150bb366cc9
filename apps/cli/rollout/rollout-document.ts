import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors } from '#contracts/http/rollouts/rollout-lists';
import { SECOND_MS } from '#core/units';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { durationMs, modelsText } from './rollout-text.ts';

/** What a pipeline does with a rollout that has its verdict. */
export function exitCodeOf({ state }: Pick<Rollout, 'state'>): ExitCode {
  switch (state) {
    case 'failed':
    case 'timed_out':
      return EXIT.failed;
    case 'cancelled':
    case 'superseded':
      return EXIT.cancelled;
    default:
      return EXIT.done;
  }
}

/** Page of the dashboard that shows a rollout. @param apiUrl without a slash at its end */
export const rolloutPage = (apiUrl: string, { id }: Pick<Rollout, 'id'>): string => `${apiUrl}/rollouts/${id}`;

/** The one document of `--json`. Its names are stable. */
export function rolloutDocument(
  rollout: Rollout,
  errors: RolloutErrors['errors'],
  url: string,
  exitCode: ExitCode,
): object {
  return {
    schema: 'haulier.rollout/v1',
    id: rollout.id,
    state: rollout.state,
    reason: rollout.reason,
    message: rollout.message,
    model: modelsText(rollout),
    counts: rollout.counts,
    threshold: rollout.threshold,
    isHolding: rollout.isHolding,
    originCopies: rollout.originCopies,
    durationSeconds: Math.round(durationMs(rollout) / SECOND_MS),
    errors: errors.map(({ reason, count, hosts, message }) => ({ reason, count, hosts, message })),
    url,
    exitCode,
  };
}
