import { useState, type FormEvent } from 'react';
import type { User } from '#contracts/http/access/users';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ActButton, ConfirmButton, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { When } from '../../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

type Role = User['role'];

const ROLE_MEANING: readonly (readonly [Role, string])[] = [
  ['viewer', 'viewer: sees everything, changes nothing'],
  ['operator', 'operator: starts, stops and retries'],
  ['admin', 'admin: also gives access'],
];

export function UsersTab() {
  const { data, error, refetch } = useLive(['users'], () => api.listUsers());
  return (
    <Section
      title="Users"
      beside={
        <FormDialog open="New user" className="primary" title="New user">
          {(close) => <UserForm close={close} />}
        </FormDialog>
      }
    >
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton />
      ) : (
        <DataTable
          caption="Users, by name"
          rows={data}
          idOf={({ name }) => name}
          empty={<EmptyState title="There is no user." line="haulier user create alice --role operator" />}
          columns={[
            { key: 'name', head: 'Name', cell: ({ name }) => name },
            { key: 'role', head: 'Role', cell: (user) => <RoleChoice user={user} /> },
            { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
            { key: 'last', head: 'Last sign-in', cell: ({ lastSignInAt }) => <When at={lastSignInAt} /> },
            { key: 'by', head: 'Made by', isExtra: true, cell: ({ createdBy }) => createdBy ?? '–' },
            { key: 'act', head: 'Action', cell: (user) => <UserActions user={user} /> },
          ]}
        />
      )}
    </Section>
  );
}

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
  const { run, isBusy, error } = useAct(() => api.createUser({ name, role, password }), close);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <label>
        Name
        <input
          className="box"
          value={name}
          required
          autoComplete="off"
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <label>
        Role
        <select className="box" value={role} onChange={({ target }) => setRole(target.value as Role)}>
          {ROLE_MEANING.map(([each, text]) => (
            <option key={each} value={each}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        First password, at least 10 characters
        <input
          className="box"
          type="password"
          value={password}
          required
          autoComplete="new-password"
          onChange={({ target }) => setPassword(target.value)}
        />
      </label>
      {error !== undefined && <ProblemBox error={error} />}
      <div className="dialog-actions">
        <button type="button" onClick={close}>
          Back
        </button>
        <button type="submit" className="primary" disabled={isBusy}>
          Create user
        </button>
      </div>
    </form>
  );
}
