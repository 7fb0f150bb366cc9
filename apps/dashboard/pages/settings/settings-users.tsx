import { useState } from 'react';
import type { User } from '#contracts/http/access/users';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { ActButton, ConfirmButton, DialogForm, useAct } from '../../parts/dialogs.tsx';
import { ChoiceField, TextField } from '../../parts/fields.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { EmptyState } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import type { Column } from '../../parts/tables/data-table.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { When } from '../../parts/text/format.tsx';

type Role = User['role'];

const ROLE_MEANING: readonly (readonly [Role, string])[] = [
  ['viewer', 'viewer: sees everything, changes nothing'],
  ['operator', 'operator: starts, stops and retries'],
  ['admin', 'admin: also gives access'],
];

export function UsersTab() {
  return (
    <ListSection
      title="Users"
      list={useLive(['users'], () => api.listUsers())}
      add={{ thing: 'user', form: (close) => <UserForm close={close} /> }}
      caption="Users, by name"
      idOf={({ name }) => name}
      columns={COLUMNS}
      empty={<EmptyState title="There is no user." line="haulier user create alice --role operator" />}
    />
  );
}

const COLUMNS: readonly Column<User>[] = [
  { key: 'name', head: 'Name', cell: ({ name }) => name },
  { key: 'role', head: 'Role', cell: (user) => <RoleChoice user={user} /> },
  { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
  { key: 'last', head: 'Last sign-in', cell: ({ lastSignInAt }) => <When at={lastSignInAt} /> },
  { key: 'by', head: 'Made by', isExtra: true, cell: ({ createdBy }) => createdBy ?? '–' },
  { key: 'act', head: 'Action', cell: (user) => <UserActions user={user} /> },
];

function RoleChoice({ user: { name, role } }: { readonly user: User }) {
  const [wanted, setWanted] = useState(role);
  const { run, error } = useAct(() => api.changeUser(name, { role: wanted }));
  return (
    <span className="row">
      <select
        className="box"
        aria-label={`Role of ${name}`}
        value={wanted}
        onChange={({ target }) => setWanted(target.value as Role)}
      >
        {ROLE_MEANING.map(([each]) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
      {wanted !== role && (
        <button type="button" className="primary" onClick={run}>
          Save
        </button>
      )}
      {error !== undefined && <ProblemBox error={error} />}
    </span>
  );
}

function UserActions({ user: { name, state } }: { readonly user: User }) {
  return (
    <span className="row">
      {state === 'active' ? (
        <ConfirmButton
          verb="Disable"
          subject={name}
          isDangerous
          consequence="Every session of the user ends, and signing in is refused."
          act={() => api.changeUser(name, { disabled: true })}
        />
      ) : (
        <ActButton label="Enable" act={() => api.changeUser(name, { disabled: false })} />
      )}
      <ConfirmButton
        verb="Delete"
        subject={name}
        isDangerous
        consequence="Every session of the user ends. The audit keeps the name."
        act={() => api.deleteUser(name)}
      />
    </span>
  );
}

function UserForm({ close }: { readonly close: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [password, setPassword] = useState('');
  const act = useAct(() => api.createUser({ name, role, password }), close);
  return (
    <DialogForm verb="Create user" act={act} close={close}>
      <TextField label="Name" value={name} change={setName} required autoComplete="off" />
      <ChoiceField label="Role" value={role} change={setRole} options={ROLE_MEANING} />
      <TextField
        label="First password, at least 10 characters"
        type="password"
        value={password}
        change={setPassword}
        required
        autoComplete="new-password"
      />
    </DialogForm>
  );
}
