import { useState } from 'react';
import type { Token } from '#contracts/http/access/tokens';
import { DAY_MS } from '#core/units';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { ConfirmButton, DialogForm, useAct } from '../../parts/dialogs.tsx';
import { ChoiceField, commaWords, TextField } from '../../parts/fields.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { EmptyState } from '../../parts/page.tsx';
import type { Column } from '../../parts/tables/data-table.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { useNow, When } from '../../parts/text/format.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';

const SOON_MS = 14 * DAY_MS;

export function TokensTab() {
  return (
    <ListSection
      title="Tokens of the API"
      list={useLive(['tokens'], () => api.listTokens('all'))}
      add={{ thing: 'token', form: (close) => <TokenForm close={close} /> }}
      caption="Tokens, newest first"
      idOf={({ id }) => id}
      columns={COLUMNS}
      empty={
        <EmptyState
          title="There is no token."
          line="haulier token create deploy --kind ci --scope write --expires 90d"
        />
      }
    />
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

const KINDS = [
  ['ci', 'a pipeline'],
  ['pat', 'a person'],
] as const;
const SCOPES = [
  ['read', 'read'],
  ['write', 'write (and read)'],
  ['admin', 'admin (everything)'],
  ['rollouts:write', 'only rollouts:write'],
  ['downloads:write', 'only downloads:write'],
  ['metrics:read', 'only metrics:read'],
] as const;

function TokenForm({ close }: { readonly close: () => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<(typeof KINDS)[number][0]>('ci');
  const [scope, setScope] = useState<(typeof SCOPES)[number][0]>('write');
  const [expiresIn, setExpiresIn] = useState('90d');
  const [models, setModels] = useState('');
  const [selector, setSelector] = useState('');
  const [secret, setSecret] = useState<string>();
  const act = useAct(
    () =>
      api.createToken({
        ...{ name, kind, scopes: [scope], models: commaWords(models) },
        ...(expiresIn === '' ? {} : { expiresIn }),
        ...(selector === '' ? {} : { selector }),
      }),
    ({ token }) => setSecret(token),
  );
  if (secret !== undefined) return <SecretOnce secret={secret} what="the token" close={close} />;
  return (
    <DialogForm verb="Create token" act={act} close={close}>
      <TextField label="Name, which the audit shows" value={name} change={setName} required />
      <div className="row">
        <ChoiceField label="For" value={kind} change={setKind} options={KINDS} />
        <ChoiceField label="May" value={scope} change={setScope} options={SCOPES} />
        <TextField label="Expires after" value={expiresIn} change={setExpiresIn} placeholder="never" />
      </div>
      <TextField
        label="Only these models, separated by commas"
        value={models}
        change={setModels}
        placeholder="whisper-*"
      />
      <TextField label="Only hosts that match" value={selector} change={setSelector} placeholder="gpu=true" />
    </DialogForm>
  );
}
