import { useState } from 'react';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { ConfirmButton, DialogForm, useAct } from '../../parts/dialogs.tsx';
import { TextField } from '../../parts/fields.tsx';
import { EmptyState } from '../../parts/page.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { When } from '../../parts/text/format.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';

/** Tokens with which new hosts enrol. */
export function EnrolmentTab() {
  const list = useLive(['enrolment'], () => api.listEnrolmentTokens());
  return (
    <ListSection
      title="Enrolment tokens"
      list={list}
      add={{ thing: 'enrolment token', form: (close) => <EnrolmentForm close={close} /> }}
      lead="A host enrols once with such a token; from then on it proves itself with a key of its own."
      caption="Enrolment tokens"
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
  );
}

function EnrolmentForm({ close }: { readonly close: () => void }) {
  const [host, setHost] = useState('');
  const [pool, setPool] = useState(false);
  const [secret, setSecret] = useState<string>();
  const act = useAct(
    () => api.createEnrolmentToken({ ...(host === '' ? {} : { host }), pool }),
    ({ token }) => setSecret(token),
  );
  if (secret !== undefined) return <SecretOnce secret={secret} what="the enrolment token" close={close} />;
  return (
    <DialogForm verb="Create enrolment token" act={act} close={close}>
      <TextField label="Only for this host" value={host} change={setHost} placeholder="any host" />
      <label className="inline">
        <input type="checkbox" checked={pool} onChange={({ target }) => setPool(target.checked)} /> Its worker also
        takes jobs of the pool
      </label>
    </DialogForm>
  );
}
