import { Link } from 'react-router';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { countText, durationText } from '../text/format.tsx';
import { StackedBar, type Part } from './progress-bar.tsx';

export const titleOf = ({ models }: Pick<Rollout, 'models'>): string =>
  models.map(({ name, version }) => `${name}@${version}`).join(', ');

export const RolloutLink = ({ rollout }: { readonly rollout: Rollout }) => (
  <Link className="name" title={titleOf(rollout)} to={`/rollouts/${rollout.id}`}>
    {titleOf(rollout)}
  </Link>
);

/** Hosts of the rollout by where they stand. */
export function partsOf({ counts }: Rollout): Part[] {
  return [
    { tone: 'ok', label: 'succeeded', count: counts.succeeded },
    { tone: 'bad', label: 'failed', count: counts.failed + counts.timedOut },
    { tone: 'running', label: 'running', count: counts.running },
    { tone: 'warn', label: 'unknown', count: counts.unknown },
    { tone: 'waiting', label: 'pending', count: counts.pending },
    { tone: 'off', label: 'offline or cancelled', count: counts.offline + counts.cancelled },
  ];
}

export const progressWords = (rollout: Rollout): string => {
  const { counts } = rollout;
  const failed = counts.failed + counts.timedOut;
  return `${countText(counts.succeeded)} of ${countText(counts.targeted)} hosts succeeded${failed > 0 ? `, ${countText(failed)} failed` : ''}`;
};

/** The bar of a rollout with the mark of its threshold. */
export const RolloutBar = ({ rollout }: { readonly rollout: Rollout }) => (
  <StackedBar
    parts={partsOf(rollout)}
    of={rollout.counts.targeted}
    tick={rollout.counts.targeted === 0 ? undefined : rollout.threshold.required / rollout.counts.targeted}
    text={progressWords(rollout)}
  />
);

/** Milliseconds until the bytes that are on their way are there; undefined while nothing moves. */
export const etaMsOf = ({ bytes, isFinal }: Rollout): number | undefined =>
  isFinal || bytes.perSecond === 0 || bytes.total <= bytes.done
    ? undefined
    : ((bytes.total - bytes.done) / bytes.perSecond) * 1000;

export function tookText({ startedAt, endedAt }: Rollout, nowMs: number): string {
  if (startedAt === null) return '–';
  const end = endedAt === null ? nowMs : Date.parse(endedAt);
  // The clock of the page ticks every few seconds, so that it may be behind the start.
  return durationText(Math.max(0, end - Date.parse(startedAt)));
}

export const failedOf = ({ counts }: Pick<Rollout, 'counts'>): number => counts.failed + counts.timedOut;
