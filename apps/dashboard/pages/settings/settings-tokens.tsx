import { useState, type FormEvent } from 'react';
import type { Token } from '#contracts/http/access/tokens';
import { DAY_MS } from '#core/units';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable, type Column } from '../../parts/tables/data-table.tsx';
import { ConfirmButton, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { useNow, When } from '../../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

const SOON_MS = 14 * DAY_MS;

export function TokensTab() {
  const { data, error, refetch } = useLive(['tokens'], () => api.listTokens('all'));
  return (
    <Section
      title="Tokens of the API"
      beside={
        <FormDialog open="New token" className="primary" title="New token">
          {(close) => <TokenForm close={close} />}
        </FormDialog>
      }
    >
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton />
      ) : (
        <DataTable
          caption="Tokens, newest first"
          rows={data}
          idOf={({ id }) => id}
          columns={COLUMNS}
          empty={
            <EmptyState
              title="There is no token."
              line="haulier token create deploy --kind ci --scope write --expires 90d"
            />
          }
        />
      )}
    </Section>
  );
}

const COLUMNS: readonly Column<Token>[] = [
  {
    key: 'name',
    head: 'Name',
    cell: ({ name, last4 }) => (
      <>
        {name} <span className="faint">…{last4}</span>
      </>
    ),
  },
  { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
  { key: 'kind', head: 'For', isExtra: true, cell: ({ kind }) => kind },
  { key: 'scopes', head: 'Scopes', cell: ({ scopes }) => scopes.join(', ') },
  {
    key: 'limits',
    head: 'Limited to',
    isExtra: true,
    cell: ({ models, selector }) => [models.join(', '), selector ?? ''].filter(Boolean).join(' on ') || 'everything',
  },
  { key: 'expires', head: 'Expires', cell: (token) => <Expiry token={token} /> },
  {
    key: 'used',
    head: 'Last used',
    isExtra: true,
    cell: ({ lastUsedAt, lastUsedIp }) => (
      <>
        <When at={lastUsedAt} /> {lastUsedIp}
      </>
    ),
  },
  {
    key: 'act',
    head: 'Action',
    cell: ({ id, name, state }) =>
      state === 'active' && (
        <ConfirmButton
          verb="Revoke"
          subject={`the token ${name}`}
          isDangerous
          consequence="What uses it is refused within seconds. It cannot be brought back."
          act={() => api.revokeToken(id)}
        />
      ),
  },
];

function Expiry({ token: { expiresAt, state } }: { readonly token: Token }) {
  const now = useNow();
  if (expiresAt === null) return <>never</>;
  const isSoon = state === 'active' && Date.parse(expiresAt) - now < SOON_MS;
  return (
    <span className={isSoon ? 'tone-warn' : ''}>
      <When at={expiresAt} />
      {isSoon && ' (soon)'}
    </span>
  );
}

function TokenForm({ close }: { readonly close: () => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<'pat' | 'ci'>('ci');
  const [scope, setScope] = useState('write');
  const [expiresIn, setExpiresIn] = useState('90d');
  const [models, setModels] = useState('');
  const [selector, setSelector] = useState('');
  const [secret, setSecret] = useState<string>();
  const { run, isBusy, error } = useAct(
    () =>
      api.createToken({
        ...{ name, kind, scopes: [scope] },
        ...(expiresIn === '' ? {} : { expiresIn }),
        models: models
          .split(',')
          .map((model) => model.trim())
          .filter(Boolean),
        ...(selector === '' ? {} : { selector }),
      }),
    ({ token }) => setSecret(token),
  );
  if (secret !== undefined) return <SecretOnce secret={secret} what="the token" close={close} />;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <label>
        Name, which the audit shows
        <input className="box" value={name} required onChange={({ target }) => setName(target.value)} />
      </label>
      <div className="row">
        <label>
          For
          <select className="box" value={kind} onChange={({ target }) => setKind(target.value as 'pat' | 'ci')}>
            <option value="ci">a pipeline</option>
            <option value="pat">a person</option>
          </select>
        </label>
        <label>
          May
          <select className="box" value={scope} onChange={({ target }) => setScope(target.value)}>
            <option value="read">read</option>
            <option value="write">write (and read)</option>
            <option value="admin">admin (everything)</option>
            <option value="rollouts:write">only rollouts:write</option>
            <option value="downloads:write">only downloads:write</option>
            <option value="metrics:read">only metrics:read</option>
          </select>
        </label>
        <label>
          Expires after
          <input
            className="box"
            value={expiresIn}
            placeholder="never"
            onChange={({ target }) => setExpiresIn(target.value)}
          />
        </label>
      </div>
      <label>
        Only these models, separated by commas
        <input
          className="box"
          value={models}
          placeholder="whisper-*"
          onChange={({ target }) => setModels(target.value)}
        />
      </label>
      <label>
        Only hosts that match
        <input
          className="box"
          value={selector}
          placeholder="gpu=true"
          onChange={({ target }) => setSelector(target.value)}
        />
      </label>
      {error !== undefined && <ProblemBox error={error} />}
      <div className="dialog-actions">
        <button type="button" onClick={close}>
          Back
        </button>
        <button type="submit" className="primary" disabled={isBusy}>
          Create token
        </button>
      </div>
    </form>
  );
}
