import { useState, type FormEvent } from 'react';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ConfirmButton, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { When } from '../../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';

/** Tokens with which new hosts enrol. */
export function EnrolmentTab() {
  const { data, error, refetch } = useLive(['enrolment'], () => api.listEnrolmentTokens());
  return (
    <Section
      title="Enrolment tokens"
      beside={
        <FormDialog open="New enrolment token" className="primary" title="New enrolment token">
          {(close) => <EnrolmentForm close={close} />}
        </FormDialog>
      }
    >
      <p className="faint">
        A host enrols once with such a token; from then on it proves itself with a key of its own.
      </p>
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton />
      ) : (
        <DataTable
          caption="Enrolment tokens"
          rows={data}
          idOf={({ id }) => id}
          empty={<EmptyState title="There is no enrolment token." line="haulier token create --enrol --host gpu-001" />}
          columns={[
            { key: 'host', head: 'Host', cell: ({ host }) => host ?? 'any' },
            { key: 'pool', head: 'Pool', cell: ({ pool }) => (pool ? 'also works for the pool' : 'no') },
            { key: 'expires', head: 'Expires', cell: ({ expiresAt }) => <When at={expiresAt} /> },
            { key: 'used', head: 'Used by', cell: ({ usedBy }) => usedBy ?? '–' },
            { key: 'by', head: 'Made by', isExtra: true, cell: ({ createdBy }) => createdBy },
            {
              key: 'act',
              head: 'Action',
              cell: ({ id, usedBy }) =>
                usedBy === null && (
                  <ConfirmButton
                    verb="Revoke"
                    subject="this enrolment token"
                    isDangerous
                    consequence="No host can enrol with it any more."
                    act={() => api.revokeEnrolmentToken(id)}
                  />
                ),
            },
          ]}
        />
      )}
    </Section>
  );
}

function EnrolmentForm({ close }: { readonly close: () => void }) {
  const [host, setHost] = useState('');
  const [pool, setPool] = useState(false);
  const [secret, setSecret] = useState<string>();
  const { run, isBusy, error } = useAct(
    () => api.createEnrolmentToken({ ...(host === '' ? {} : { host }), pool }),
    ({ token }) => setSecret(token),
  );
  if (secret !== undefined) return <SecretOnce secret={secret} what="the enrolment token" close={close} />;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <label>
        Only for this host
        <input className="box" value={host} placeholder="any host" onChange={({ target }) => setHost(target.value)} />
      </label>
      <label className="inline">
        <input type="checkbox" checked={pool} onChange={({ target }) => setPool(target.checked)} /> Its worker also
        takes jobs of the pool
      </label>
      {error !== undefined && <ProblemBox error={error} />}
      <div className="dialog-actions">
        <button type="button" onClick={close}>
          Back
        </button>
        <button type="submit" className="primary" disabled={isBusy}>
          Create enrolment token
        </button>
      </div>
    </form>
  );
}
