import { useQueryClient } from '@tanstack/react-query';
import { SECOND_MS } from '#core/units';
import { useListening } from '../data/live.ts';
import { useNow } from '../parts/format.tsx';

/** Data older than this is called stale: six rounds of polling. */
const STALE_MS = 40 * SECOND_MS;

/** Whether what the page shows is of now. */
export function LiveDot() {
  const listening = useListening();
  const now = useNow();
  const asked = useQueryClient()
    .getQueryCache()
    .findAll({ type: 'active', predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    .map(({ state }) => state.dataUpdatedAt);
  const ageMs = asked.length === 0 ? 0 : now - Math.min(...asked);
  const isStale = ageMs > STALE_MS;
  const word = isStale ? `stale ${Math.floor(ageMs / SECOND_MS)} s` : listening;
  return (
    <span className={`live live-${isStale ? 'stale' : listening}`} title={MEANING[listening]}>
      <span className="dot" aria-hidden="true" />
      {word}
    </span>
  );
}

const MEANING = {
  live: 'the server tells of every change',
  polling: 'the page asks every few seconds',
  paused: 'nothing is asked while the tab is hidden',
} as const;
