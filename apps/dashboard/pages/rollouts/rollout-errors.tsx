import { Link } from 'react-router';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ConfirmButton } from '../../parts/dialogs.tsx';
import { countText, several, When } from '../../parts/text/format.tsx';
import { EmptyState, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

/** Why hosts failed, the most frequent reason first. */
export function RolloutErrorsTab({ rollout }: { readonly rollout: Rollout }) {
  const { id, state } = rollout;
  const mayRetry = useMay('write') && state !== 'cancelled' && state !== 'superseded';
  const { data, error, refetch } = useLive(['rollout', id, 'errors'], () => api.listRolloutErrors(id));
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  return (
    <DataTable
      caption="Why hosts failed"
      rows={data.errors}
      idOf={({ reason }) => reason}
      empty={<EmptyState title="No host has failed." />}
      columns={[
        {
          key: 'reason',
          head: 'Reason',
          cell: ({ reason }) => <Link to={`?state=failed&reason=${encodeURIComponent(reason)}`}>{reason}</Link>,
        },
        {
          key: 'message',
          head: 'Message of one of them',
          cell: ({ message }) => <span className="error-text">{message}</span>,
        },
        { key: 'count', head: 'Hosts', isNumber: true, cell: ({ count }) => countText(count) },
        { key: 'first', head: 'First', isExtra: true, cell: ({ firstAt }) => <When at={firstAt} /> },
        { key: 'last', head: 'Last', isExtra: true, cell: ({ lastAt }) => <When at={lastAt} /> },
        { key: 'sample', head: 'Such as', isExtra: true, cell: ({ hosts }) => hosts.slice(0, 3).join(', ') },
        {
          key: 'act',
          head: 'Action',
          cell: ({ reason, count }) =>
            mayRetry && (
              <ConfirmButton
                verb={`Retry these ${count}`}
                subject={`hosts that failed with ${reason}`}
                count={count}
                consequence={`${several(count, 'host')} will be tried again; what they have already fetched is kept.`}
                act={() => api.retryRollout(id, { reasons: [reason] })}
              />
            ),
        },
      ]}
    />
  );
}
