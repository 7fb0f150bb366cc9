import { useState } from 'react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { api } from '../../data/api.ts';
import { pollEvery } from '../../data/live.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { When } from '../../parts/text/format.tsx';
import { EmptyState, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StateMark, wordOf } from '../../parts/marks/state-mark.tsx';

const PAGE = 200;

/** Every move of the rollout and of its hosts, oldest first. */
export function RolloutTimelineTab({ id }: { readonly id: string }) {
  const [withHosts, setWithHosts] = useState(false);
  const { data, error, refetch, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ['rollout', id, 'events'],
    queryFn: ({ pageParam }) => api.listRolloutEvents(id, { after: pageParam, limit: PAGE }),
    initialPageParam: 0,
    getNextPageParam: ({ events }) => (events.length < PAGE ? undefined : events.at(-1)!.sequence),
    refetchInterval: pollEvery,
  });
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  const events = data.pages.flatMap((page) => page.events).filter(({ host }) => withHosts || host === null);
  return (
    <>
      <label className="inline">
        <input type="checkbox" checked={withHosts} onChange={({ target }) => setWithHosts(target.checked)} /> With the
        moves of each host
      </label>
      <DataTable
        caption="Moves of the rollout, oldest first"
        rows={events}
        idOf={({ sequence }) => String(sequence)}
        empty={<EmptyState title="Nothing has happened yet." />}
        columns={[
          { key: 'at', head: 'When', cell: ({ at }) => <When at={at} /> },
          { key: 'host', head: 'Host', cell: ({ host }) => host ?? 'the rollout' },
          { key: 'event', head: 'Event', cell: ({ event }) => wordOf(event) },
          { key: 'to', head: 'Is then', cell: ({ to }) => <StateMark state={to} /> },
          { key: 'message', head: 'Why', cell: ({ message }) => message },
          { key: 'actor', head: 'By', isExtra: true, cell: ({ actor }) => actor ?? 'Haulier' },
        ]}
      />
      {hasNextPage && (
        <div className="pages">
          <button type="button" onClick={() => void fetchNextPage()}>
            Later events
          </button>
        </div>
      )}
    </>
  );
}
