import { useQueryClient } from '@tanstack/react-query';
import { SECOND_MS } from '#core/units';
import { useListening } from '../data/live.ts';
import { useNow } from '../parts/text/format.tsx';

/** Data older than this is called stale: the longest pause between two questions, and half of it again. */
const STALE_MS = 45 * SECOND_MS;
/** What is asked rarely, because it changes slowly. */
const SLOW = ['session', 'metrics', 'search'];

/** Whether what the page shows is of now. */
export function LiveDot() {
  const listening = useListening();
  const now = useNow();
  const answered = useQueryClient()
    .getQueryCache()
    .findAll({ type: 'active', predicate: ({ queryKey }) => !SLOW.includes(String(queryKey[0])) })
    .flatMap(({ state }) => (state.dataUpdatedAt === 0 ? [] : [state.dataUpdatedAt]));
  const ageMs = answered.length === 0 ? 0 : now - Math.min(...answered);
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
